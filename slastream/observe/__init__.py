"""What a worker knows of itself, made countable. `slastream.metrics` gives it names and a page."""
