"""The Prefect server of a run by hand where no other is there: it lives as long as the run does.

Prefect's own temporary server is a child like any other: a signal to the whole group, such as
Ctrl-C in a terminal, ends it together with the run, which then tries for minutes to report to it
how it ended; and it outlives a run that is killed. This one is in a session of its own, and ends
when the pipe from its parent closes, however the parent ended.
"""

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import uvicorn
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

SERVER = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect sets for a temporary server."""


class TemporaryServer(SubprocessASGIServer):
    """Prefect's temporary server, as a process that depends on its parent alone.

    Prefect keeps one instance per port and starts that of no particular port when a client needs a
    server: once made, this one takes the place of Prefect's.
    """

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-P", __file__, str(self.port)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **SERVER, **settings},
        )


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve Prefect's API on this port of this machine until the standard input is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, host="127.0.0.1",
        port=int(sys.argv[1]), log_level="error", lifespan="on",
    )  # fmt: skip


if __name__ == "__main__":
    main()
