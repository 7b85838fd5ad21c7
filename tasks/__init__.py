"""Stages, one per module: each reads artifacts, calls `autoencoders` and writes an output."""
