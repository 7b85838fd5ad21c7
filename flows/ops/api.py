"""Prefect's API on a socket that this process inherits: `python -m flows.ops.api NUMBER`.

It ends when its standard input is closed (flows/ops/attached.py).
"""

import socket
import sys

import uvicorn
from prefect.server.api.server import create_app

from flows.ops.attached import attach


def main() -> None:
    """Serve until the standard input is closed."""
    attach()
    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
