"""A generated day at an invented service provider: tickets as thirteen systems would send them.

Everything is drawn from a seed. Nothing here knows Kafka, or what the right alerts would be.
"""
