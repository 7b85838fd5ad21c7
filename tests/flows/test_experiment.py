"""Experiments on small data: what is trained, chosen and scored, what is left, what is refused."""

import csv
import json
import re

import pytest

from autoencoders.errors import PipelineError
from autoencoders.settings import Settings, apply_preset
from flows.experiment import experiment
from flows.full import pipeline
from tasks.engine.journal import RECORD
from tasks.engine.runner import Planner, input_refs
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings
from tests.support import IMAGE, write_dataset

TRAINING = {"epochs": 4, "batch_size": 16}
SETTINGS = {"image": IMAGE, "training": TRAINING}
GRID = {"training.learning_rate": "1e-3,1e-4", "noise.factor": "0.3,0.5"}


def settings(**more: object) -> Settings:
    return Settings.model_validate({**SETTINGS, **more})


def steps_of(done):
    """Return the state of every step of an experiment, by its name."""
    record = json.loads((done.folder / RECORD).read_text())
    return {step["step"]: step["state"] for step in record["steps"]}


def rows_of(done):
    return list(csv.DictReader((done.folder / "experiment.csv").open()))


@pytest.fixture(scope="module", autouse=True)
def one_at_a_time():
    """Train in this process: several at a time are tested with the kills."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOENCODERS_TRAININGS", "1")
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small random images."""
    return write_dataset(tmp_path_factory.mktemp("data") / "data", side=12)


@pytest.fixture(scope="module")
def gridded(tmp_path_factory, prefect_server, data):
    """The store of a finished grid of four points with two seeds, and what it returned."""
    artifacts = tmp_path_factory.mktemp("gridded")
    done = experiment(data, "reference", settings(), artifacts, grid=GRID, seeds=2)
    return artifacts, done


def test_every_point_is_trained_with_every_seed(gridded):
    """Data are read once, and noise is drawn once per strength and seed."""
    _, done = gridded
    steps = steps_of(done)

    assert [name for name in steps if name.startswith(("ingest", "prepare"))] == [
        "ingest", "prepare train", "prepare test",
    ]  # fmt: skip
    assert sum(name.startswith("add noise train") for name in steps) == 4
    assert sum(name.startswith("train denoiser") for name in steps) == 8
    assert [row["point"] for row in rows_of(done)] == list("1234")
    assert all(row["seeds"] == "2" and float(row["val_psnr_sd"]) > 0 for row in rows_of(done))
    assert all(float(row["cpu_seconds"]) > 0 for row in rows_of(done))


def test_the_best_of_each_noise_is_chosen_by_validation_and_scored_once(gridded):
    """Points at different noise are not compared; what is not chosen is never tested."""
    _, done = gridded
    rows = rows_of(done)
    for factor in ("0.3", "0.5"):
        alike = [row for row in rows if row["noise.factor"] == factor]
        best = max(alike, key=lambda row: float(row["val_psnr"]))
        assert best["state"] == "chosen"
        assert [row["point"] for row in alike if row["test_psnr"]] == [best["point"]]
    scored = {name for name in steps_of(done) if name.startswith("score denoiser")}

    assert len(scored) == 4  # two points with two seeds each
    assert len(list((done.folder / "models").iterdir())) == 4


def test_an_experiment_leaves_tables_a_figure_and_the_commands_for_the_whole_report(gridded):
    """For people, for programs, and to go on from."""
    _, done = gridded
    text = (done.folder / "experiment.md").read_text()

    assert (done.folder / "figures" / "pareto.png").read_bytes()[:4] == b"\x89PNG"
    assert "scored after the choice" in done.conclusion
    assert done.conclusion.splitlines()[0] in text
    assert text.count("python flows/full.py --data data ") == 2
    assert len(done.facts["trainings"]) == 8
    assert len(list((done.folder / "history").iterdir())) == 8


def test_the_same_again_computes_nothing_and_says_the_same(gridded, data):
    """Costs are those of when a point was computed."""
    artifacts, done = gridded
    again = experiment(data, "reference", settings(), artifacts, grid=GRID, seeds=2)

    assert set(steps_of(again).values()) == {"Cached"}
    for name in ("experiment.csv", "experiment.md", "experiment.json", "figures/pareto.png"):
        assert (again.folder / name).read_bytes() == (done.folder / name).read_bytes()


def test_a_larger_grid_trains_only_what_is_new(gridded, data):
    """Whatever number a point has in it."""
    artifacts, _ = gridded
    grid = {"noise.factor": "0.5", "training.learning_rate": "2e-3,1e-3,1e-4"}
    more = experiment(data, "reference", settings(), artifacts, grid=grid, seeds=2)
    trained = [
        name for name, state in steps_of(more).items()
        if name.startswith("train") and state == "Completed"
    ]  # fmt: skip

    assert len(trained) == 2
    assert all("training.learning_rate=0.002" in name for name in trained)


def test_the_main_job_with_the_settings_of_a_point_does_not_train_it_again(gridded, data):
    """A point is a training of the main job, and its scores are those of the main job."""
    artifacts, done = gridded
    [chosen, _] = done.facts["chosen"]
    planner = Planner(Store(artifacts))
    ours = resolve_settings(Settings.model_validate(chosen["settings"]))
    pipeline(planner, input_refs(find_files(data)), ours)
    states = {step.label: step.state for step in planner.steps}

    assert states["train denoiser"] == states["score denoiser"] == "cached"
    assert states["train autoencoder"] == "compute"


def test_the_table_is_sorted_as_asked(gridded):
    """The best first, the cheapest first, by number, or by a setting."""
    _, done = gridded
    columns = {
        "psnr": "PSNR (dB)",
        "cost": "cost (CPU s)",
        "point": "point",
        "noise.factor": "factor",
    }
    for sort, column in columns.items():
        values = [float(row[column]) for row in done.table(sort)]
        assert values == sorted(values, reverse=sort == "psnr")


@pytest.fixture(scope="module")
def searched(tmp_path_factory, prefect_server, data):
    """The store of a finished search for six points, and what it returned."""
    artifacts = tmp_path_factory.mktemp("searched")
    space = {"training.learning_rate": "1e-5..1e-2:log", "denoiser.network": "reference,unet"}
    done = experiment(data, "reference", settings(), artifacts, search=6, space=space)
    return artifacts, done, space


@pytest.mark.long
def test_a_search_trains_a_quarter_first_and_gives_up_what_is_hopeless(searched):
    """What was given up is in the table, and is neither trained to the end nor chosen."""
    _, done, _ = searched
    rows, steps = rows_of(done), steps_of(done)
    given_up = [row["point"] for row in rows if row["state"] == "given up"]
    whole = [name for name in steps if name.startswith("train") and "1/4" not in name]

    assert len(rows) == 6
    assert sum("1/4 of its length" in name for name in steps) == 6
    assert len(whole) == 6 - len(given_up)
    assert sum(row["state"] == "chosen" for row in rows) == 1


@pytest.mark.slow
def test_a_search_goes_on_where_a_shorter_one_ended(searched, data):
    """The same points first, all from the cache."""
    artifacts, done, space = searched
    more = experiment(data, "reference", settings(), artifacts, search=7, space=space)
    before, after = rows_of(done), rows_of(more)

    assert [row["training.learning_rate"] for row in after[:6]] == [
        row["training.learning_rate"] for row in before
    ]
    new = [name for name, state in steps_of(more).items()
           if name.startswith("train") and state == "Completed"]  # fmt: skip
    assert all(after[6]["training.learning_rate"][:5] in name for name in new)


@pytest.mark.slow
def test_a_point_that_diverges_is_part_of_the_table(gridded, data, tmp_path):
    """The others are trained and compared all the same."""
    wild = {"network": "unet"}
    grid = {"training.learning_rate": "1e-3,1"}
    ours = settings(
        denoiser=wild, residual={"width": 8, "inner_width": 32, "blocks": 20},
        training={**TRAINING, "optimizer": "adamw"},
    )  # fmt: skip
    done = experiment(data, "reference", ours, tmp_path, grid=grid)
    calm, lost = rows_of(done)

    assert calm["state"] == "chosen"
    assert lost["state"] == "diverged"
    assert "loss became" in lost["note"]
    assert not lost["val_psnr"]


@pytest.mark.long
def test_an_autoencoder_needs_no_noise(gridded, data):
    """Its points are all of one kind."""
    artifacts, _ = gridded
    done = experiment(
        data, "reference", settings(), artifacts, network="autoencoder",
        grid={"training.learning_rate": "1e-3,1e-4"},
    )  # fmt: skip

    assert not any(name.startswith("add noise") for name in steps_of(done))
    assert sum(row["state"] == "chosen" for row in rows_of(done)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "An experiment needs settings that vary. Give --grid"),
        (("--grid", "training.learning_rate"), "expected NAME=VALUE,VALUE"),
        (("--grid", "noise.factor=0.3", "noise.factor=0.5"), "this setting is given twice"),
        (("--grid", "training.rate=1"), "--grid training.rate: there is no such setting"),
        (("--grid", "training.learning_rate=7"), "From 1e-09 to 1."),
        (("--grid", "noise.factor=0.3", "--search", 3), "--grid and --search exclude each other"),
        (("--search", 3), "no search space is given"),
        (("--space", "training.warmup=0..0.2"), "the number of points to sample is missing"),
        (("--grid", "residual.width=8,16"), "are the same training. Leave out a setting"),
        (("--grid", "noise.factor=0.3", "--sort", "loss"), "It has psnr, cost, point, noise."),
        (("--search", 3, "--space", "training.warmup=0..0.2", "--plan"), "the results of earlier"),
    ],
)  # fmt: skip
def test_a_question_without_an_answer_is_refused_before_anything_runs(
    run_flow, data, tmp_path, arguments, said
):
    """In one line that says what to do; no server is started, nothing is written."""
    done = run_flow("experiment", "--data", data, "--artifacts", tmp_path / "a", *arguments)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_plan_shows_which_trainings_are_left(gridded, data, run_flow):
    """Those that are done are cached; nothing runs."""
    artifacts, _ = gridded
    shown = run_flow(
        "experiment", "--data", data, "--artifacts", artifacts, "--image.height", 12,
        "--image.width", 12, "--training.epochs", 4, "--training.batch_size", 16,
        "--grid", "training.learning_rate=1e-3,5e-3", "--plan", "--json",
    )  # fmt: skip
    states = {row["step"]: row["state"] for row in json.loads(shown.stdout)}
    trained = {re.search(r"rate=([\d.]+)", name)[1]: state
               for name, state in states.items() if name.startswith("train")}  # fmt: skip

    assert trained == {"0.001": "cached", "0.005": "compute"}


def test_noise_of_the_users_own_cannot_vary(tmp_path, data):
    """There is none that could be drawn."""
    twins = tmp_path / "twins"
    twins.mkdir()
    for split in ("train", "test"):
        source = next(data.glob(f"{split}_data.csv*"))
        for kind in ("noisy", "clean"):
            suffix = ".csv.gz" if source.suffix == ".gz" else ".csv"
            (twins / f"{split}_{kind}{suffix}").write_bytes(source.read_bytes())

    with pytest.raises(PipelineError, match="noise of their own"):
        experiment(twins, "reference", settings(), tmp_path / "a", grid=GRID)


def test_points_that_contradict_their_preset_are_refused_by_their_values(data, tmp_path):
    """A preset with fresh noise, of a kind that cannot be drawn anew."""
    assert apply_preset("fast").denoiser.fresh_noise
    with pytest.raises(PipelineError, match=r"The point noise\.kind=salt_and_pepper is impossible"):
        experiment(data, "fast", settings(), tmp_path / "a",
                   grid={"noise.kind": "gaussian,salt_and_pepper"})  # fmt: skip
