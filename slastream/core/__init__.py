"""What an SLA clock means. Pure: no I/O, no asyncio, no logging, and nobody here asks what time it is."""
