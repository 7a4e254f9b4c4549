"""One partition of tickets as a pure step: records in, effects out. No Kafka, no asyncio, no clock."""
