"""slastream: real-time SLA timers over Kafka."""

__version__ = "0.1.0"
