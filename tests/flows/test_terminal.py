"""What people see while they wait: in a terminal, lines that move; elsewhere, plain ones."""

import io
import logging
import re
import subprocess
import sys

import pytest
from rich.console import Console

from flows.display import Display
from flows.ops.installing import Progress
from flows.outcome import results_table
from tests.support import HOME, SMALL, STEPS, TERMINAL, write_dataset

SCORES = {"against": {}, "mse": 0.02, "psnr": 17.0, "ssim": 0.9, "mae": 0.1}
LOCK = HOME / "requirements.lock"


@pytest.fixture
def shown():
    """A display, and a function that returns what stays above its moving lines."""
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    display = Display(console)
    return display, lambda: console.export_text(clear=False).splitlines(), console


def test_a_step_leaves_a_line_with_its_time_and_what_it_said(shown):
    """Of a training the last epoch; the name of the network stands above it already."""
    display, lines, _ = shown
    display.begins("train denoiser")
    display.says("denoiser: 80 images to train on")
    display.moves(0.5)
    display.says("denoiser: epoch 1/2, loss 0.2")
    display.moves(1.0)
    display.says("denoiser: epoch 2/2, loss 0.1")
    display.ends("train denoiser", "Completed", 75.0)

    assert lines() == [
        "✓ train denoiser           1:15 min",
        "    80 images to train on",
        "    epoch 2/2, loss 0.1",
    ]


def test_steps_from_the_cache_share_a_line(shown):
    """A run that computes nothing is two lines, not twenty."""
    display, lines, _ = shown
    for step in ("ingest", "prepare train", "prepare test"):
        display.begins(step)
        display.ends(step, "Cached", 0.01)
    display.finish()

    assert lines() == ["≡ 3 steps from the cache"]


def test_what_moves_is_the_bar_the_share_and_the_last_line(shown):
    """Within 80 columns."""
    display, _, console = shown
    display.begins("train denoiser")
    display.moves(0.25)
    display.says("denoiser: epoch 1/4, loss 0.20000, val_loss 0.20000, best 0.20000, 400 images/s")
    with console.capture() as capture:
        console.print(display)
    first, *rest = re.sub(r"\x1b\[[\d;]*m", "", capture.get()).splitlines()

    assert re.search(r"train denoiser ━+.* 25% \d+\.\d s", first)
    assert " ".join(" ".join(rest).split()).startswith("epoch 1/4, loss 0.20000,")


@pytest.mark.parametrize(
    ("level", "left_to_prefect"),
    [(logging.INFO, False), (logging.WARNING, False), (logging.ERROR, True)],
)
def test_of_the_log_a_terminal_shows_warnings_and_errors(shown, level, left_to_prefect):
    """What else it says is shown by the display itself, or by nobody."""
    display, lines, _ = shown
    record = logging.LogRecord("prefect", level, "", 0, "<%s> [bold]", ("text",), None)

    assert display.take(record) is left_to_prefect
    assert lines() == (["! <text> [bold]"] if level == logging.WARNING else [])


def test_the_table_of_results_compares_with_the_input_and_the_last_run():
    """In dB; a method that did not exist in the last run is compared with nothing."""
    console = Console(width=80, record=True, file=io.StringIO())
    metrics = {
        "noisy": {**SCORES, "psnr": 9.0}, "autoencoder": SCORES,
        "median": {**SCORES, "against": {"noisy": {"psnr": 4.25}}},  # on some of the images
        "denoiser": {**SCORES, "psnr": None, "against": {"noisy": {"psnr": None}}},
    }  # fmt: skip
    console.print(results_table(metrics, {"noisy": {"psnr": 9.0}, "autoencoder": {"psnr": 16.5}}))
    table = {line.split()[0]: line.split() for line in console.export_text().splitlines()}

    assert table["noisy"][-1] == "same"
    assert table["autoencoder"][-2:] == ["+0.50", "dB"]
    assert table["denoiser"][2] == "-"
    assert table["median"][-2:] == ["+4.25", "dB"]
    assert "wavelet" not in table


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, server_environment):
    """What a terminal without colours gets of a run on small data, and where its artifacts are."""
    folder = tmp_path_factory.mktemp("terminal")
    data = write_dataset(folder / "data", side=12)
    command = [
        sys.executable, HOME / "flows" / "full.py", "--data", data,
        "--artifacts", folder / "artifacts", *SMALL,
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TERMINAL, *map(str, command)], stdin=subprocess.DEVNULL,
        env={**server_environment, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"},
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout, folder / "artifacts"


@pytest.mark.long
def test_a_terminal_is_told_of_everything_from_the_start(recorded):
    """Of the imports, of each step, and of each network's losses; without Prefect's own lines."""
    output, _ = recorded

    assert output.lstrip().startswith("| Loading Prefect ...")
    for step in STEPS:
        assert f"✓ {step} " in output
    assert "epoch 2/2, loss" in output
    assert "INFO" not in output


@pytest.mark.long
def test_no_colour_is_sent_where_none_is_wanted(recorded):
    """Bold stays, and cursor movements, or nothing could move."""
    assert re.findall(r"\x1b\[(?:\d+;)*[349]\d[;m]", recorded[0]) == []


def test_the_set_up_says_what_it_waits_for(capsys):
    """Large downloads by name and size, and that they are unpacked; not two hundred lines."""
    progress = Progress(150)
    progress.hear("Collecting tensorflow==2.21.0")
    progress.hear("Downloading tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl (640.1 MB)")
    progress.hear("Collecting six==1.17.0")
    progress.hear("Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)")
    progress.hear("Installing collected packages: six, tensorflow")
    said = [re.sub(r" +\d+ s, ", "", line) for line in capsys.readouterr().out.splitlines()]

    assert said == [
        "1 of up to 150 packages: downloading tensorflow, 640.1 MB",
        "2 of up to 150 packages: unpacking and installing them (3 GB)",
    ]


def test_a_set_up_that_fails_says_why(tmp_path):
    """With pip's own words and exit code."""
    done = subprocess.run(
        [sys.executable, HOME / "flows" / "ops" / "installing.py", LOCK, "--no-index",
         "--target", tmp_path, "no-such-package-anywhere"],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip

    assert done.returncode == 1
    assert "1 GB" in done.stdout
    assert "no-such-package-anywhere" in done.stderr
