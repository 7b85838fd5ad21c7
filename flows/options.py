"""Command lines: settings over a preset, and one clear line for every error a user can cause."""

import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, Token
from pydantic import ValidationError

from autoencoders.settings import PresetName, Settings
from flows.advice import STOPPED, USER_ERRORS, in_words, read_in
from flows.by_hand import DRAIN_SECONDS, delivered
from flows.starting import announced
from flows.terminal import end_now, leave, output_errors, prepare_output

HOME = Path(__file__).resolve().parents[1]
SHIPPED = HOME / "flows" / "sample"
"""Where an installed package has the sample; a checkout has it in `data`."""
INSTALLED = SHIPPED.is_dir()
SAMPLE = SHIPPED if INSTALLED else HOME / "data" / "sample"
ARTIFACTS = Path("artifacts") if INSTALLED else HOME / "artifacts"
"""In the current folder if this is an installed package: nothing is written beside its code."""


def _folder(type_: object, tokens: Sequence[Token]) -> Path:
    """Return the folder that an option names; an empty text, as of an unset variable, is none."""
    if not tokens[0].value:
        raise ValueError("expected a folder, received an empty string; `.` is the current folder")
    return Path(tokens[0].value)


Folder = Annotated[Path, Parameter(converter=_folder)]
Data = Annotated[
    Folder,
    Parameter(help="File or folder of images: train_data.csv, train_labels.csv, test_data.csv, "
              "test_labels.csv, or any other format listed in docs/data.md."),
]  # fmt: skip
Artifacts = Annotated[
    Folder,
    Parameter(help="Folder for all results; existing ones are reused."),
]
Preset = Annotated[
    PresetName,
    Parameter(
        help="Where the settings start from: reference reproduces the course (50 epochs; seed is "
        "its old name), quick trains for two epochs, fast is as good as the reference at a "
        "fraction of its cost, best is the best found so far that costs no more."
    ),
]
Model = Annotated[
    str,
    Parameter(
        help="latest: the newest finished run; or a run's name, its folder, or a .keras file."
    ),
]
RunsIn = Annotated[Artifacts, Parameter(help="Artifacts folder that contains the runs.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]
SettingsOptions = Annotated[Settings, Parameter(name="*")]


def run_command(app: App) -> None:
    """Run a command line and exit with its code: 0, 1 for an error in the data or the store, 2 for
    one in the command line, 129, 130, 141 or 143 if it was stopped, 141 by a closed pipe."""
    announced()
    prepare_output()
    # Prefect's engine ends a flow at SIGTERM and then raises the signal again, for this handler;
    # without one the process would die on the spot and leave its temporary server behind
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    app.suppress_keyboard_interrupt = False  # it would end without a word
    with read_in("command line"), _ending_soon():
        try:
            with output_errors():
                app(exit_on_error=False, print_error=False, result_action="return_value")
        except CycloptsError as error:
            leave(2, f"{_option_error(error)}\nSee --help for every option.")
        except USER_ERRORS as error:
            leave(1, in_words(error))
        except _Stopped as stopped:
            leave(128 + stopped.number, STOPPED)
        except KeyboardInterrupt:
            leave(130, STOPPED)


@contextmanager
def _ending_soon() -> Iterator[None]:
    """End the process even if a server that is gone never takes the last logs and events.

    Python waits at its end for Prefect's services, and these try for minutes.
    """
    code = 1
    try:
        yield
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
        raise
    finally:
        if not delivered(DRAIN_SECONDS):
            if isinstance(sys.exc_info()[1], Exception):
                traceback.print_exc()
            end_now(code)


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
