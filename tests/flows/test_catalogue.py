"""Every entry of the lists of corruptions, methods, metrics and figures does what its kind should.

A new entry is tested by being there.
"""

import typing

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from autoencoders.settings import REFERENCE, NoiseSettings
from flows.catalogue import CORRUPTIONS, FIGURES, METHODS, METRICS
from flows.full import figure_options, pipeline
from tasks.engine.files import reference
from tasks.engine.runner import Planner
from tasks.engine.store import Store
from tasks.resolve import resolve_settings

IMAGES = np.random.default_rng(0).random((6, 12, 12, 1), dtype=np.float32)


def by_name(entries):
    """Label test cases with the names of the entries."""
    return [pytest.param(entry, id=entry.name) for entry in entries]


def test_every_kind_of_noise_that_can_be_chosen_has_a_function():
    """A setting without one would only fail in a run."""
    kinds = typing.get_args(NoiseSettings.model_fields["kind"].annotation)

    assert set(kinds) == set(CORRUPTIONS)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_corruption_keeps_form_and_range_and_depends_on_its_generator_alone(kind):
    """In parts as in one piece; with a factor of 0 nothing changes."""
    corrupt = CORRUPTIONS[kind].load()
    once, again = (corrupt(IMAGES, 0.5, np.random.default_rng(1)) for _ in range(2))
    rng = np.random.default_rng(1)
    parts = np.concatenate([corrupt(IMAGES[:2], 0.5, rng), corrupt(IMAGES[2:], 0.5, rng)])

    assert once.shape == IMAGES.shape
    assert once.dtype == np.float32
    assert once.min() >= 0
    assert once.max() <= 1
    assert not np.array_equal(once, IMAGES)
    assert np.array_equal(once, again)
    assert np.array_equal(once, parts)
    assert np.array_equal(corrupt(IMAGES, 0.0, np.random.default_rng(1)), IMAGES)


@pytest.mark.parametrize("metric", by_name(METRICS))
def test_a_metric_measures_each_image_and_knows_perfection(metric):
    """One float64 per image; equal images have the best value, the same one for all."""
    measure = metric.function.load()
    noisy = np.clip(IMAGES + 0.3, 0, 1)
    perfect, worse = measure(IMAGES, IMAGES), measure(IMAGES, noisy)

    assert perfect.shape == worse.shape == (len(IMAGES),)
    assert perfect.dtype == worse.dtype == np.float64
    assert np.allclose(perfect, perfect[0])
    assert (np.sign(worse - perfect) == np.sign(worse - perfect)[0]).all()
    assert (worse != perfect).all()
    with pytest.raises(ValueError, match="shape"):
        measure(IMAGES, IMAGES[:, :4])


@pytest.mark.parametrize("figure", by_name(FIGURES))
def test_a_figure_is_drawn_from_the_kinds_of_files_it_reads(figure, tmp_path):
    """Whatever their content, it can be saved."""
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.2, 0.1], "val_loss": [0.3, 0.2]})
    scores = pd.DataFrame({metric.name: [0.1, 0.2, 0.4] for metric in METRICS})
    layers = pd.DataFrame({"layer": ["a"], "kind": ["Conv2D"], "output": ["2 x 2 x 1"],
                           "activation": ["relu"], "parameters": [10]})  # fmt: skip
    ends = ("", "_low", "_high")
    groups = pd.DataFrame({"label": ["all", "A"], "images": [4, 4],
                           **{f"denoiser_psnr{end}": [20.0, np.nan] for end in ends}})  # fmt: skip
    curve = pd.DataFrame({"method": "noisy", "noise": ["clipped"] * 2 + ["unclipped"] * 2,
                          "factor": [0.1, 0.5] * 2, "images": 20,
                          **{f"psnr{end}": [20.0, 9, 20, 8] for end in ends}})  # fmt: skip
    picked = pd.DataFrame({"method": "denoiser", "rank": ["best", "median", "worst"],
                           "image": [1, 2, 0], "psnr": [30.0, 20, 10]})  # fmt: skip
    content = {
        "history": history, "scores": scores, "models": layers, "images": IMAGES, "first": IMAGES,
        "groups": groups, "robustness.csv": curve, "extremes.csv": picked, "extremes": IMAGES,
    }  # fmt: skip
    inputs = {label: content[name.split("/")[0]] for label, name in figure.inputs.items()}
    options = figure_options(figure, "Gaussian noise of factor 0.5", resolve_settings(REFERENCE))
    assert "{noise}" not in str(options)
    drawn = figure.draw.load()(inputs, **options)
    drawn.savefig(tmp_path / "figure.png")

    assert isinstance(drawn, matplotlib.figure.Figure)
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_every_method_and_figure_has_steps_of_its_own(tmp_path):
    """And every file that a figure reads is made by an earlier step."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    planner = Planner(Store(tmp_path / "artifacts"))
    data = {role: reference(file) for role in ("train_data", "train_labels", "test_data")}
    pipeline(planner, data, resolve_settings(REFERENCE))
    labels = [step.label for step in planner.steps]

    assert [f"score {method.name}" for method in METHODS] == [
        label for label in labels if label.startswith("score ")
    ]
    assert len([label for label in labels if label.startswith("draw ")]) == len(FIGURES)
    assert len(set(labels)) == len(labels)
