"""The recipes of CONTRIBUTING.md, followed in a copy of the project: each by the files it names."""

import json

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.support import SMALL, STEPS, Project

OPTIONS = (*SMALL[:4], "--training.epochs", 1)
pytestmark = pytest.mark.long

SPECKLE = '''"""Speckle: noise in proportion to the pixel."""

import numpy as np


def add_speckle(images, noise_factor, rng):
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images * (1 + np.float32(noise_factor) * noise), 0, 1)
'''
LARGEST_ERROR = '''"""The largest error of a pixel."""

import numpy as np


def largest_error(clean, restored):
    return np.abs(clean.astype(np.float64) - restored).max(axis=(1, 2, 3))
'''
AVERAGE = '''"""The average image."""

from matplotlib.figure import Figure


def average(images):
    figure = Figure()
    figure.subplots().imshow(images["test image"].mean(axis=0)[:, :, 0])
    return figure
'''
LINES = '''"""Text files of one number per line."""


def write_numbers(path, numbers):
    path.write_text("".join(f"{number}\\n" for number in numbers))
'''
COUNT_LABELS = '''"""Count labels: how many images each class has."""

import numpy as np

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.lines import write_numbers


@stage
def count_labels(output: Output, labels: ArtifactRef, smallest: int) -> None:
    """Write `counts.txt`: how many images the classes have, from `smallest` images on."""
    counts = np.bincount(np.load(labels.path))
    write_numbers(output.folder / "counts.txt", counts[counts >= smallest])
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory, server_environment):
    """A project with one finished run."""
    project = Project.create(tmp_path_factory.mktemp("contributed"), server_environment)
    project.full(*OPTIONS)
    return project


def add(project, path, text):
    (project.folder / path).write_text(text)


def insert(project, path, before, text):
    """Insert a text in front of one that is in a file."""
    project.edit(path, before, text + before)


def test_a_noise_a_metric_and_a_figure_are_two_or_three_files_each(project):
    """They do what they are for, and nothing is trained again but what gets other noise."""
    add(project, "autoencoders/images/speckle.py", SPECKLE)
    project.edit("autoencoders/settings.py", '"salt_and_pepper"]', '"salt_and_pepper", "speckle"]')
    insert(project, "flows/catalogue.py", '    "gaussian": FunctionRef(',
           '    "speckle": FunctionRef("autoencoders.images.speckle:add_speckle"),\n')  # fmt: skip
    add(project, "autoencoders/metrics/largest_error.py", LARGEST_ERROR)
    insert(project, "flows/catalogue.py", '    Metric("mse"',
           '    Metric("worst", FunctionRef("autoencoders.metrics.largest_error:largest_error"), '
           '"worst pixel", 3),\n')  # fmt: skip
    add(project, "autoencoders/figures/average.py", AVERAGE)
    insert(project, "flows/catalogue.py", '    Figure("noise"',
           '    Figure("average", FunctionRef("autoencoders.figures.average:average"), '
           '{"test image": "images/test/clean"}),\n')  # fmt: skip
    plan = project.planned(*OPTIONS)
    project.full(*OPTIONS, "--noise.kind", "speckle")
    latest = project.folder / "artifacts" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())

    assert [step for step in plan if step not in STEPS] == ["draw average"]
    again = {step for step, row in plan.items() if row["state"] != "cached"}
    assert {step.split()[0] for step in again} == {"score", "measure", "evaluate", "draw", "report"}
    assert 0 < metrics["denoiser"]["worst"] <= 1
    assert "worst pixel" in (latest / "summary.md").read_text()
    assert "denoiser_worst" in pq.read_schema(latest / "per_image.parquet").names
    with Image.open(latest / "figures" / "average.png") as picture:
        picture.load()
    assert json.loads((latest / "settings.json").read_text())["noise"]["kind"] == "speckle"


def test_a_stage_a_format_and_a_setting_are_added_as_described(project):
    """The setting becomes an option, and its key changes with it."""
    add(project, "tasks/formats/lines.py", LINES)
    add(project, "tasks/count_labels.py", COUNT_LABELS)
    insert(project, "autoencoders/settings.py", "    image: ImageSettings",
           '    smallest_class: Annotated[int, Field(ge=1)] = 1\n    """From how many images on '
           'a class counts."""\n\n')  # fmt: skip
    insert(project, "flows/evaluation.py", "from tasks.engine.handles",
           "from tasks.count_labels import count_labels\n")  # fmt: skip
    insert(project, "flows/evaluation.py", '    made = step(\n        f"evaluate',
           '    made = step("count labels", count_labels, labels=files["labels/test"], '
           'smallest=settings.smallest_class)\n'
           '    files["class_sizes.txt"] = made["counts.txt"]\n')  # fmt: skip
    project.full(*OPTIONS)
    counts = project.folder / "artifacts" / "latest" / "class_sizes.txt"
    assert counts.read_text() == "2\n" * 10
    plan = project.planned(*OPTIONS, "--smallest_class", 3)

    assert plan["count labels"]["why"] == "setting smallest: 1 -> 3"
    again = {step for step, row in plan.items() if row["state"] != "cached"}
    assert again == {"count labels", "report"}  # which shows all settings
