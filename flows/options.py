"""Command lines: settings over a preset, and one clear line for every error a user can cause."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import prefect
from cyclopts import App, CycloptsError, Parameter, Token
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_API_PORT,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_UI_URL,
    temporary_settings,
)
from pydantic import ValidationError

from autoencoders.settings import PresetName, Settings
from flows.advice import RESUME, USER_ERRORS, on_the_command_line
from flows.ops.automations import HEARTBEAT
from flows.ops.login import LOGIN, login_environment
from flows.ops.pages import UI_VERSION
from flows.terminal import leave, output_errors, prepare_output

HOME = Path(__file__).resolve().parents[1]
SAMPLE = HOME / "data" / "sample"
ARTIFACTS = HOME / "artifacts"


def _folder(type_: object, tokens: Sequence[Token]) -> Path:
    """Return the folder that an option names; an empty text, as of an unset variable, is none."""
    if not tokens[0].value:
        raise ValueError("expected a folder, received an empty text; `.` is the current folder")
    return Path(tokens[0].value)


Folder = Annotated[Path, Parameter(converter=_folder)]
Data = Annotated[Folder, Parameter(help="Folder of the four CSV files, each plain or gzipped.")]
Artifacts = Annotated[
    Folder,
    Parameter(help="Folder for all results; what is there already is reused."),
]
Preset = Annotated[
    PresetName,
    Parameter(
        help="Where the settings start from: reference reproduces the course (50 epochs; seed is "
        "its old name), quick trains for two epochs, best is the best found so far."
    ),
]
SettingsOptions = Annotated[Settings, Parameter(name="*")]

PREFECT_DEFAULTS = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,  # 20 s are too short on a busy disk
    PREFECT_SERVER_ANALYTICS_ENABLED: False,  # else a machine without a network logs an error
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT,
}
HERE = "127.0.0.1,localhost"


def run_command(app: App) -> None:
    """Run a command line and exit with its code: 0, 1 for an error in the data or the store, 2 for
    one in the command line, 129, 130, 141 or 143 if it was stopped, 141 by a closed pipe."""
    prepare_output()
    # Prefect's engine ends a flow at SIGTERM and then raises the signal again, for this handler;
    # without one the process would die on the spot and leave its temporary server behind
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    os.environ.setdefault("DO_NOT_TRACK", "1")
    for name in ("NO_PROXY", "no_proxy"):  # else Prefect would look for this machine behind a proxy
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HERE]))
    app.suppress_keyboard_interrupt = False  # it would end without a word
    try:
        with (
            output_errors(),
            temporary_settings(set_defaults={**PREFECT_DEFAULTS, **_running_server()}),
        ):
            app(exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        leave(2, f"{_option_error(error)}\nSee --help for every option.")
    except USER_ERRORS as error:
        leave(1, on_the_command_line(error))
    except _Stopped as stopped:
        leave(128 + stopped.number, f"stopped. {RESUME}")
    except KeyboardInterrupt:
        leave(130, f"stopped. {RESUME}")


def _running_server() -> dict[Any, str]:
    """Return where `make server` answers, if it does: no temporary server is needed then.

    A server named by Prefect's own settings takes precedence over it.
    """
    url = f"http://127.0.0.1:{PREFECT_SERVER_API_PORT.value()}/api"
    try:
        login = login_environment().get(LOGIN)
        auth = httpx.BasicAuth(*login.split(":", 1)) if login else None
        answer = httpx.get(f"{url}/admin/version", timeout=1, trust_env=False, auth=auth).text
    except httpx.HTTPError:
        return {}  # nobody there, or somebody else
    pages = f"{url.removesuffix('api')}{UI_VERSION}"
    ours = answer.strip() == f'"{prefect.__version__}"'
    return {PREFECT_API_URL: url, PREFECT_UI_URL: pages} if ours else {}


class _Stopped(BaseException):
    """A signal to end arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, frame: object) -> None:
    raise _Stopped(number)


def _option_error(error: CycloptsError) -> str:
    """Say what is wrong with an option; Pydantic's own message has links and codes."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ValidationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return str(error)
    return "\n".join(
        f"--{'.'.join(map(str, fault['loc']))}: {fault['msg']}. Received: {fault['input']}"
        for fault in cause.errors()
    )
