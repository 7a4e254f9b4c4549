"""The Faust application around the engine: transport, actors, recovery, ingest."""
