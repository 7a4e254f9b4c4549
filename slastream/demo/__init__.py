"""A generated day at an invented service provider: tickets as three systems would send them.

Everything is drawn from a seed. Nothing here knows Kafka, or what the right alerts would be.
"""
