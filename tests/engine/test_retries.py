"""Another try for what may go away, and none for what is wrong."""

import errno
import logging
import re
import shutil
import threading
import time
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings

from tasks.engine.errors import EngineError, InputError
from tasks.engine.files import reference
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.engine.prefect_task import prefect_task
from tasks.engine.retries import is_transient, with_retries
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of

NOT_ANSWERING = TimeoutError(errno.ETIMEDOUT, "the disk does not answer")


@stage
def parse(output: Output, number: ArtifactRef) -> None:
    """Write `number.txt`: the number in a file."""
    (output.folder / "number.txt").write_text(str(int(number.path.read_text())))


def raised(cause, *, because):
    """Return an error raised while `cause` was handled, and because of it or not."""
    try:
        try:
            raise cause
        except OSError as error:
            if because:
                raise EngineError("not read") from error
            raise EngineError("wrong data")  # noqa: B904
    except EngineError as error:
        return error


def test_only_a_transient_cause_is_worth_another_try():
    """What was merely going on when wrong data were found is no reason."""
    assert is_transient(NOT_ANSWERING)
    assert is_transient(raised(NOT_ANSWERING, because=True))
    assert not is_transient(raised(NOT_ANSWERING, because=False))
    assert not is_transient(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_transient(None)


def test_other_tries_come_with_the_pauses_of_a_task(monkeypatch, tmp_path):
    """Three tries in all; what stays wrong is raised."""
    paused, tried = [], []
    monkeypatch.setattr(time, "sleep", paused.append)

    def read(path):
        tried.append(path)
        raise NOT_ANSWERING

    with pytest.raises(TimeoutError):
        with_retries(read, tmp_path)
    assert len(tried) == 3
    assert paused == [2, 10]


def test_a_missing_file_is_not_tried_again(monkeypatch, tmp_path):
    """It would be missing again."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))

    with pytest.raises(InputError, match=r"gone\.csv: cannot be read \(No such file"):
        input_refs({"data": tmp_path / "gone.csv"})


def make_unreadable(file: Path) -> None:
    """Put a file in its place that answers with an error of the device."""
    file.unlink()
    file.symlink_to("/proc/self/mem")


@pytest.fixture
def number(tmp_path):
    """A text file with a number."""
    path = tmp_path / "number.txt"
    path.write_text("7")
    return path


@pytest.fixture
def heal_later(tmp_path, number, caplog):
    """Return a function that makes the number unreadable until it has been tried once."""

    def heal_later():
        kept = Path(shutil.copy(number, tmp_path / "kept.txt"))
        make_unreadable(number)
        threading.Thread(target=heal, args=[kept], daemon=True).start()

    def heal(kept):
        while not re.search("trying again|Retry 1/2", caplog.text):
            time.sleep(0.05)
        kept.rename(number)

    return heal_later


needs_proc = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc here")


@needs_proc
def test_files_that_cannot_be_read_for_a_moment_are_tried_again(number, heal_later, caplog):
    """A network disk that answers again; each try is logged."""
    expected = {"number": reference(number)}
    heal_later()
    with caplog.at_level(logging.WARNING):
        found = input_refs({"number": number})

    assert found == expected
    assert caplog.text.count("number.txt: Input/output error; trying again in 2 s") == 1


@needs_proc
@pytest.mark.parametrize("heals", [True, False])
def test_a_stage_is_tried_again_when_its_disk_does_not_answer(
    prefect_server, tmp_path, number, heal_later, caplog, heals
):
    """Wrong data are not tried again: they would be wrong again."""
    if not heals:
        number.write_text("seven")
    inputs = {"number": reference(number)}
    key = stage_of(parse).key_parts(inputs).key
    if heals:
        heal_later()
    without_a_flow = temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"})
    with caplog.at_level(logging.INFO), without_a_flow:
        state = prefect_task(stage_of(parse))(
            str(tmp_path / "store"), "parse", inputs, key, {}, return_state=True
        )

    assert state.name == ("Completed" if heals else "Failed")
    assert ("Retry 1/2" in caplog.text) == heals
