"""Experiments: which points are tried, which is asked for next, and what came of them."""
