"""The command `autoencoders`: it says at once that it is there, then loads what it needs."""

import sys

from flows.starting import announce


def main() -> None:
    """Run the command line."""
    if sys.stderr is not None and sys.stderr.isatty():
        announce("Loading")
    from flows.cli import main as run

    run()
