"""The figures: what is drawn, not how it looks."""

import numpy as np
import pandas as pd
import pytest

from autoencoders.figures.architecture import architecture
from autoencoders.figures.image_rows import image_rows
from autoencoders.figures.loss_curves import loss_curves
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


LAYERS = pd.DataFrame({"layer": ["a", "b"], "kind": ["Conv2D", "Conv2D"], "parameters": [1000, 23]})
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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_stand_in_rows_under_their_label(channels):
    """One panel per image, whatever the number of channels."""
    images = np.zeros((3, 8, 8, channels), np.float32)
    figure = image_rows({"clean": images, "noisy": images}, title="Images")

    assert len(figure.axes) == 6
    assert [figure.axes[index].get_ylabel() for index in (0, 3)] == ["clean", "noisy"]


def test_rows_may_have_different_numbers_of_images(tmp_path):
    """A test set of one image beside a train set of many."""
    figure = image_rows({"train": IMAGES, "test": IMAGES[:1]}, title="Images")
    figure.savefig(tmp_path / "figure.png", dpi=50)

    assert [bool(axes.images) for axes in figure.axes] == [True, True, True, True, False, False]


def test_the_architecture_ends_with_the_total():
    """The number of parameters is what people look for."""
    cells = architecture({"layers": LAYERS}).axes[0].tables[0].get_celld()

    assert cells[3, 0].get_text().get_text() == "total"
    assert cells[3, 2].get_text().get_text() == "1,023"


def test_networks_with_the_same_layers_are_one_table():
    """As the two of the reference: showing them twice tells nothing."""
    once = architecture({"a": LAYERS})
    twice = architecture({"a": LAYERS, "b": LAYERS.copy()})

    assert len(twice.axes) == 1
    assert twice.axes[0].get_title() == ""
    assert twice.get_size_inches().tolist() == once.get_size_inches().tolist()


def test_networks_with_other_layers_stand_side_by_side(tmp_path):
    """Each with the names of those that have them."""
    figure = architecture({"a": LAYERS, "b": LAYERS[:1], "c": LAYERS})
    figure.savefig(tmp_path / "figure.png", dpi=50)

    assert [axes.get_title() for axes in figure.axes] == ["a, c", "b"]
    assert [len(axes.tables) for axes in figure.axes] == [1, 1]


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
