"""A run that is refused says why once, in the words of the place where it is read."""

import json
import re

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from autoencoders.errors import PipelineError
from autoencoders.settings import Settings
from flows.advice import REFUSALS, in_parameters, in_words, read_in
from flows.full import full
from tasks.engine.errors import NotWritableError
from tests.support import write_dataset

WRONG = ("--image.height", 28, "--image.width", 28)
REASON = "an image has 144 values, expected a multiple of 784 (28 x 28 x channels). Say its shape: "
AS_OPTIONS = f"{REASON}--image.height 12 --image.width 12,"
AS_PARAMETERS = f'{REASON}settings={{"image": {{"height": 12, "width": 12}}}},'


@pytest.fixture
def data(tmp_path):
    """Images of 12 x 12 pixels."""
    return write_dataset(tmp_path / "data", side=12)


def newest_run():
    """Return of the newest run the messages of its states, its own first, and its log."""
    with get_client(sync_client=True) as client:
        [run] = client.read_flow_runs(limit=1, sort=FlowRunSort.START_TIME_DESC)
        tasks = client.read_task_runs(sort=TaskRunSort.END_TIME_DESC)
        messages = [one.state.message for one in tasks if one.flow_run_id == run.id]
        mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        log = [one.message for one in client.read_logs(mine)]
    return [run.state.message, *messages], log


def test_a_refusal_is_said_once_on_the_command_line_and_once_in_the_log(run_flow, data, tmp_path):
    """The terminal ends with it; Prefect's pages have it as a line, and in the states of the task
    and of the flow. Nothing of Prefect's own repeats it."""
    done = run_flow("full", "--data", data, "--artifacts", tmp_path / "artifacts", *WRONG)
    shown = done.stdout + done.stderr
    messages, log = newest_run()

    assert done.returncode == 1
    assert shown.count(REASON) == 1
    assert AS_OPTIONS in done.stderr.splitlines()[-1]
    assert [line for line in shown.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in shown
    assert "Failed to write result" not in shown
    assert "".join(log).count(REASON) == 1
    assert len(messages) == 2
    assert all(AS_OPTIONS in message for message in messages)
    assert any(
        "Nothing is lost: fix the cause and run the same command again." in one for one in log
    )


@pytest.mark.long
def test_following_the_advice_helps(run_flow, data, tmp_path):
    """The options that the message names are those that the run needed."""
    refused = run_flow("full", "--data", data, "--artifacts", tmp_path / "artifacts", *WRONG)
    options = refused.stderr.partition("Say its shape: ")[2].partition(",")[0].split()
    done = run_flow(
        "full", "--data", data, "--artifacts", tmp_path / "artifacts", "--training.epochs", 1,
        *options,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_a_call_from_python_is_told_parameters(prefect_server, data, tmp_path, capfd):
    """As an error with the same text as the states, and nothing in the terminal beside it."""
    with pytest.raises(PipelineError) as caught:
        full(
            data=data, artifacts=tmp_path / "artifacts",
            settings={"image": {"height": 28, "width": 28}},
        )  # fmt: skip
    messages, _ = newest_run()

    assert AS_PARAMETERS in str(caught.value)
    assert all(AS_PARAMETERS in message for message in messages)
    assert REASON not in "".join(capfd.readouterr())


def test_a_missing_folder_is_refused_before_the_first_step(run_flow, tmp_path):
    """Once, too, although no step had begun."""
    done = run_flow("full", "--data", tmp_path / "none", "--artifacts", tmp_path / "artifacts")
    messages, log = newest_run()

    assert (done.stdout + done.stderr).count("no such file or folder") == 1
    assert "".join(log).count("no such file or folder") == 1
    assert "no such file or folder" in messages[0]


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ("Give it with --data.", "Give it with `data`."),
        ("set --training.validation_fraction to 0.5.",
         "set `settings.training.validation_fraction` to 0.5."),
        ("set --image.height, --image.width and --image.channels.",
         "set `settings.image.height`, `settings.image.width` and `settings.image.channels`."),
        ("say --image.height 8 --training.epochs 5.",
         'say settings={"image": {"height": 8}, "training": {"epochs": 5}}.'),
        ("say --noise.factor 0.3.", 'say settings={"noise": {"factor": 0.3}}.'),
        ("say --seed 1", 'say settings={"seed": 1}'),
        ("set --image.black -0.5 --image.white 0.5.",
         'set settings={"image": {"black": -0.5, "white": 0.5}}.'),
        ("or a label (--reading.index yes, --reading.label first).",
         'or a label (settings={"reading": {"index": "yes"}}, '
         'settings={"reading": {"label": "first"}}).'),
        ("give --reading.accept alike.", 'give settings={"reading": {"accept": ["alike"]}}.'),
        ("off (--denoiser.fresh_noise false)",
         'off (settings={"denoiser": {"fresh_noise": false}})'),
        ("set --image.black and --image.white", "set `settings.image.black` and "
         "`settings.image.white`"),
        ("gc --keep-last 3, --dataset, --image", "gc --keep-last 3, --dataset, --image"),
    ],
)  # fmt: skip
def test_options_become_parameters(options, parameters):
    """Those of the main job, as values that it takes; other words with dashes stay as they are."""
    assert in_parameters(options) == parameters
    for found in re.finditer("settings=", parameters):
        value, _ = json.JSONDecoder().raw_decode(parameters, found.end())
        assert Settings.model_validate(value).model_fields_set == set(value)


def test_an_error_of_the_engine_names_what_its_reader_can_change():
    """An option for a command, a parameter for everything else."""
    error = NotWritableError("/x: cannot be written to.")
    with read_in("command line"):
        assert in_words(error).endswith("give another folder with --artifacts, and run again.")

    REFUSALS.word(error)
    assert str(error).endswith("give another folder with `artifacts`, and run again.")


def test_a_server_that_does_not_answer_is_named(run_flow, data, tmp_path):
    """In one line, with where it was looked for and what to do; nothing is computed."""
    done = run_flow(
        "full", "--data", data, "--artifacts", tmp_path / "artifacts",
        PREFECT_API_URL="http://127.0.0.1:9/api",
    )  # fmt: skip

    assert done.returncode == 1
    [loading, line] = done.stderr.strip().splitlines()
    assert loading == "Loading Prefect ..."
    assert line.startswith("error: No Prefect server answers at http://127.0.0.1:9/api, which ")
    assert "correct or unset PREFECT_API_URL" in line
    assert not (tmp_path / "artifacts").exists()
