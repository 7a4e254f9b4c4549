"""Measurements. Figures are kept in `bench/results` with the command that made them."""
