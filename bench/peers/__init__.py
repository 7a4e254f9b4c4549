"""The same job through slastream and through what people would pick instead."""
