"""`python -m slastream` is the same as `slastream`."""

from slastream.cli import main

main()
