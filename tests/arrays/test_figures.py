"""The figures: what is drawn, not how it looks."""

import numpy as np
import pandas as pd
import pytest

from autoencoders.figures.architecture import architecture
from autoencoders.figures.class_scores import class_scores
from autoencoders.figures.extremes import ERRORS, extremes
from autoencoders.figures.image_rows import GROUND, image_rows
from autoencoders.figures.loss_curves import loss_curves
from autoencoders.figures.robustness import robustness
from autoencoders.figures.score_distribution import CAP, score_distribution
from autoencoders.metrics.quality import psnr


def history(epochs):
    """A falling loss over some epochs."""
    loss = 1 / np.arange(1, epochs + 1)
    return pd.DataFrame({"epoch": range(1, epochs + 1), "loss": loss, "val_loss": 1.1 * loss})


def scores(values):
    """A table of scores per image, with another column that must not matter."""
    return pd.DataFrame({"mse": 0.1, "psnr": values})


def lines(figure):
    """The lines of the first panel by their label."""
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


LAYERS = pd.DataFrame({"layer": ["a", "b"], "kind": ["Conv2D", "Conv2D"],
                       "output": ["4 x 4 x 2", "8 x 8 x 1"], "parameters": [1000, 23]})  # fmt: skip
IMAGES = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: loss_curves({"autoencoder": history(1), "denoiser": history(30)}),
        lambda: image_rows({"clean": IMAGES, "noisy": IMAGES}, title="Images"),
        lambda: architecture({"layers": LAYERS}),
        lambda: score_distribution({"noisy": scores([9.0, 10.0])}, title="PSNR"),
    ],
    ids=["loss_curves", "image_rows", "architecture", "score_distribution"],
)
def test_a_figure_takes_a_mapping_and_can_be_saved(draw, tmp_path):
    """All have this form, so whoever renders them needs to know nothing else about them."""
    draw().savefig(tmp_path / "figure.png", dpi=50)

    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_loss_curves_have_one_panel_per_network():
    """With training and validation loss in each."""
    figure = loss_curves({"autoencoder": history(3), "denoiser": history(3)})

    assert [axes.get_title() for axes in figure.axes] == ["Autoencoder", "Denoiser"]
    assert set(lines(figure)) == {"train", "validation", "best: epoch 3"}


def test_loss_curves_mark_the_least_validation_loss():
    """Of equal ones the earliest; the epochs behind it were no better."""
    table = history(4).assign(val_loss=[0.4, 0.2, 0.3, 0.2])
    mark = lines(loss_curves({"denoiser": table}))["best: epoch 2"]

    assert (mark.get_xdata().tolist(), mark.get_ydata().tolist()) == ([2], [0.2])


def test_a_loss_of_zero_can_be_drawn(tmp_path):
    """As of black images that a network has learned exactly; its axis is logarithmic."""
    table = history(3).assign(loss=0.0, val_loss=0.0)
    loss_curves({"autoencoder": table}).savefig(tmp_path / "figure.png", dpi=50)

    assert (tmp_path / "figure.png").stat().st_size > 1000


def shown(figure):
    """What the first panel shows."""
    return np.asarray(figure.axes[0].images[0].get_array())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_stand_in_rows_under_their_label(channels):
    """Each pixel as it is, in grey or in colour, whatever the number of channels."""
    images = np.random.default_rng(0).random((3, 8, 8, channels), np.float32)
    figure = image_rows({"clean": images, "noisy": images / 2}, title="Images")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    colours = images[..., :3] if channels > 2 else images[..., :1].repeat(3, axis=3)

    assert labels == ["clean", "noisy"]
    assert np.array_equal(shown(figure)[:8, :8], colours[0])
    assert np.array_equal(shown(figure)[-8:, -8:], colours[2] / 2)


def test_rows_may_have_different_numbers_of_images(tmp_path):
    """A test set of one image beside a train set of many; a method that was left out has no row."""
    rows = {"train": IMAGES, "left out": IMAGES[:0], "test": IMAGES[:1]}
    figure = image_rows(rows, title="Images")
    figure.savefig(tmp_path / "figure.png", dpi=50)

    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["train", "test"]
    assert (shown(figure)[-8:, 8:] == np.float32(GROUND)).all()


def test_the_architecture_ends_with_the_total():
    """The number of parameters is what people look for."""
    cells = architecture({"layers": LAYERS}).axes[1].tables[0].get_celld()

    assert cells[3, 0].get_text().get_text() == "total"
    assert cells[3, 3].get_text().get_text() == "1,023"


def test_networks_with_the_same_layers_are_one_table():
    """As the two of the reference: showing them twice tells nothing."""
    once = architecture({"a": LAYERS})
    twice = architecture({"a": LAYERS, "b": LAYERS.copy()})

    assert len(twice.axes) == 2
    assert twice.axes[0].get_title().startswith("Outputs of the layers")
    assert twice.get_size_inches().tolist() == once.get_size_inches().tolist()


def test_networks_with_other_layers_stand_side_by_side(tmp_path):
    """Each with the names of those that have them."""
    figure = architecture({"a": LAYERS, "b": LAYERS[:1], "c": LAYERS})
    figure.savefig(tmp_path / "figure.png", dpi=50)

    assert [axes.get_title().splitlines()[0] for axes in figure.axes[:2]] == ["a, c", "b"]
    assert [len(axes.tables) for axes in figure.axes] == [0, 0, 1, 1]


def test_the_distribution_has_one_line_per_method():
    """It climbs from 0 to 1 over the sorted scores; no two lines look the same."""
    figure = score_distribution(
        {"noisy": scores([9.0, 8.0]), "denoiser": scores([20.0, 22.0, 21.0, 23.0])}, title="PSNR"
    )
    found = lines(figure)

    assert list(found) == ["noisy", "denoiser"]
    assert found["denoiser"].get_xdata().tolist() == [20, 20, 21, 22, 23]
    assert found["denoiser"].get_ydata().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert len({(line.get_color(), line.get_linestyle()) for line in found.values()}) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["noisy", "denoiser"]


@pytest.mark.parametrize("values", [[20.0], [20.0] * 5, [CAP] * 5], ids=["one", "equal", "exact"])
def test_a_distribution_of_one_value_is_an_upright_line(values, tmp_path):
    """A single image, or a constant method, is no reason to fail."""
    figure = score_distribution({"method": scores(values)}, title="PSNR")
    figure.savefig(tmp_path / "figure.png", dpi=50)

    assert set(lines(figure)["method"].get_xdata()) == {values[0]}
    assert lines(figure)["method"].get_ydata()[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("values", [[20.0, np.nan], [np.nan, np.nan]], ids=["some", "all"])
def test_images_without_a_score_are_counted_in_the_legend(values, tmp_path):
    """NaN has no place on the axis, but must not pass in silence."""
    figure = score_distribution({"method": scores(values)}, title="PSNR")
    figure.savefig(tmp_path / "figure.png", dpi=50)
    [label] = lines(figure)

    assert label == f"method\n({np.isnan(values).sum()} images: not a number)"


def test_the_cap_is_marked_only_where_images_reach_it():
    """Else it would stretch the axis to 58.9 dB for nothing."""
    near = score_distribution({"method": scores([20.0, 30.0])}, title="PSNR")
    reached = score_distribution({"method": scores(psnr(np.array([0.1, 0.0])))}, title="PSNR")

    assert list(lines(near)) == ["method"]
    assert [label.split(":")[0] for label in lines(reached)] == ["method", "cap at 58.9 dB"]


def test_layers_of_equal_outputs_are_one_box(tmp_path):
    """A network of many layers stays readable; a dense layer has neither height nor width."""
    outputs = ["8 x 8 x 4", "8 x 8 x 4", "256", "16", "2 x 4 x 2 x 4 x 1"]
    layers = pd.DataFrame({"layer": list("abcde"), "kind": "any", "output": outputs,
                           "parameters": 1})  # fmt: skip
    figure = architecture({"layers": layers})
    figure.savefig(tmp_path / "figure.png", dpi=50)
    texts = [text.get_text() for text in figure.axes[0].texts]

    assert len(figure.axes[0].patches) == 4
    assert {"a", "c", "d", "e", "8\n8\n4", "1\n1\n16", "2\n32\n1"} <= set(texts)
    assert "narrowest 16 numbers" in figure.axes[0].get_title()


def test_images_of_several_sizes_are_shown_as_large_as_each_other(tmp_path):
    """By whole numbers, so that a pixel stays a square; of large ones, what can be seen."""
    images = [np.full((4, 4, 1), 0.5, np.float32), np.zeros((9, 8, 3), np.float32)]
    figure = image_rows({"some": images}, title="Images")
    figure.savefig(tmp_path / "figure.png", dpi=50)
    large = image_rows({"large": np.zeros((2, 3000, 1000, 1), np.float32)}, title="Images")

    assert (shown(figure)[:8, :8] == 0.5).all()
    assert (shown(figure)[:, -8:] == 0).all()
    assert len(shown(large)) == 250


def test_the_bottleneck_is_drawn_in_a_colour_of_its_own():
    """The layer of least resolution; each box is as high as its output."""
    [small, large] = architecture({"layers": LAYERS}).axes[0].patches

    assert small.get_facecolor() != large.get_facecolor()
    assert (small.get_height(), large.get_height()) == (0.5, 1)


CURVE = pd.DataFrame({"method": ["noisy", "noisy", "denoiser", "denoiser"] * 2,
                      "noise": ["clipped"] * 4 + ["unclipped"] * 4, "factor": [0.1, 0.5] * 4,
                      "images": 30, "psnr": 20.0, "psnr_low": 19.0, "psnr_high": 21.0})  # fmt: skip


def test_robustness_has_a_panel_per_kind_of_noise_and_marks_the_trained_level():
    """One line per method in each, with the number of images in the title."""
    figure = robustness(
        {"any": CURVE.assign(psnr_low=["", *[19.0] * 7])}, title="Robustness", factor=0.4
    )

    assert [axes.get_title() for axes in figure.axes] == ["clipped noise", "unclipped noise"]
    assert list(lines(figure)) == ["noisy", "denoiser", "trained or fitted\nat 0.4"]
    assert set(lines(figure)["trained or fitted\nat 0.4"].get_xdata()) == {0.4}
    assert "(30 test images)" in figure.get_suptitle()


@pytest.mark.parametrize("classes", [0, 1, 3, 60])
def test_the_class_chart_has_a_group_for_all_images_and_one_per_class(classes, tmp_path):
    """Of more than 40, those with most images; a class without an interval has its mark."""
    table = pd.DataFrame({"label": ["all", *range(classes)], "images": [99, *range(1, classes + 1)],
                          "denoiser_psnr": 20.0, "denoiser_psnr_low": "",
                          "denoiser_psnr_high": ""})  # fmt: skip
    figure = class_scores({"any": table}, title="Classes")
    figure.savefig(tmp_path / "figure.png", dpi=50)

    groups = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert groups == ["all", *map(str, range(classes)[-40:])]
    assert "(99 test images" in figure.axes[0].get_title()
    assert ("20 smaller classes are not shown" in figure.axes[0].get_title()) == (classes == 60)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_extremes_have_a_row_per_method_and_a_panel_per_rank(channels, tmp_path):
    """Clean, restored and error side by side, each with its number."""
    table = pd.DataFrame({"method": ["a"] * 3 + ["b"] * 3, "rank": ["best", "median", "worst"] * 2,
                          "image": range(6), "psnr": 20.0})  # fmt: skip
    images = np.random.default_rng(0).random((2, 6, 8, 8, channels), np.float32)
    files = {"extremes": table, "a": images[0], "left out": images[:0, 0], "b": images[1]}
    figure = extremes(files, title="Extremes")
    figure.savefig(tmp_path / "figure.png", dpi=50)

    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in first.texts] == ["20.0 dB, no. 0", "20.0 dB, no. 3"]
    assert np.array_equal(shown(figure)[:8, :8, 0], images[0, 0, :, :, 0])
    assert np.array_equal(shown(figure)[-8:, 9:17, 0], images[1, 1, :, :, 0])
    error = np.abs(images[0, 0] - images[0, 1]).mean(axis=2)
    assert np.allclose(shown(figure)[:8, -8:], ERRORS(error)[:, :, :3])
