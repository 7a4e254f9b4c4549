"""The board: what is about to break, on one page. Reads topics, never a worker's tables."""
