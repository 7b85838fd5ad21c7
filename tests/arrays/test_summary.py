"""From scores of single images to the numbers of a run."""

import numpy as np
import pandas as pd
import pytest

from autoencoders.metrics.quality import psnr
from autoencoders.metrics.summary import Draws, by_class, compare, summarise

DRAWS = Draws(200, 0)


def table(mse, **columns):
    """Scores of single images."""
    return pd.DataFrame({"mse": mse, "psnr": psnr(np.array(mse)), **columns})


def errors(count=60, seed=0):
    """Skewed errors."""
    return np.random.default_rng(seed).gamma(2, 0.01, count)


def test_the_summary_takes_psnr_of_the_mean_error():
    """Not the mean of the PSNR, which is a figure of its own; each with its interval."""
    scores = table(errors())
    figures = summarise(scores, DRAWS)

    assert [name for name in figures if not name.endswith("_interval")] == [
        "images", "mse", "psnr", "psnr_mean",
    ]  # fmt: skip
    assert figures["psnr"] == pytest.approx(-10 * np.log10(figures["mse"]))
    assert figures["psnr_mean"] == pytest.approx(scores["psnr"].mean())
    for name in ("mse", "psnr", "psnr_mean"):
        low, high = figures[f"{name}_interval"]
        assert low < figures[name] < high
    assert figures["psnr_interval"] == pytest.approx(
        [float(psnr(end)) for end in figures["mse_interval"][::-1]]
    )


def test_the_summary_has_the_mean_of_any_other_column():
    """A new metric needs no change here; JSON has neither NaN nor infinity, so they are None."""
    scores = pd.DataFrame({"mae": [0.1, 0.3], "ssim": [np.nan, np.nan], "snr": [np.inf, 1]})

    assert summarise(scores, DRAWS) == {
        "images": 2, "mae": pytest.approx(0.2), "ssim": None, "snr": None,
        "mae_interval": None, "ssim_interval": None, "snr_interval": None,
    }  # fmt: skip


def test_an_image_without_a_score_is_not_left_out_of_the_mean():
    """A network that returns NaN for the hard images would look better for it."""
    scores = table([0.1, np.nan], mae=[0.1, 0.3])
    figures = summarise(scores, DRAWS)

    assert [figures[name] for name in ("mse", "psnr", "psnr_mean")] == [None] * 3
    assert figures["mae"] == pytest.approx(0.2)


def test_two_methods_are_compared_image_by_image():
    """On the images that both have; the interval is narrower than those of the two."""
    ours, theirs = table(errors() / 2), table(errors())[10:]
    found = compare(ours, theirs, DRAWS)

    assert found["images"] == 50
    assert found["psnr"] == pytest.approx(10 * np.log10(2))
    assert found["psnr_interval"] == pytest.approx([10 * np.log10(2)] * 2)
    assert found["mse"] == pytest.approx(-errors()[10:].mean() / 2)
    low, high = found["mse_interval"]
    assert low < found["mse"] < high < 0


def test_methods_that_differ_by_chance_have_an_interval_around_zero():
    """So nobody takes the better of two equals for better."""
    low, high = compare(table(errors(seed=1)), table(errors(seed=2)), DRAWS)["psnr_interval"]

    assert low < 0 < high


def test_a_comparison_with_an_exact_method_has_no_interval():
    """At the cap nothing is left to tell; the difference is that of the caps."""
    found = compare(table(np.zeros(30)), table(errors(30)), DRAWS)

    assert found["psnr"] > 30
    assert found["psnr_interval"] is None
    assert compare(table(np.zeros(30)), table(np.zeros(30)), DRAWS)["psnr"] == 0


def test_each_class_has_figures_of_its_own():
    """With intervals, but of a tiny class: its few images say too little."""
    labels = np.array(["A"] * 55 + ["B"] * 5)
    rows = by_class({"denoiser": table(errors())}, labels, DRAWS)
    found = pd.DataFrame(rows).set_index("label")

    assert found["images"].to_dict() == {"A": 55, "B": 5}
    low, value, high = found.loc["A", [f"denoiser_psnr{end}" for end in ("_low", "", "_high")]]
    assert low < value < high
    assert value == pytest.approx(float(psnr(errors()[:55].mean())))
    assert found["denoiser_mse_low"].isna().to_dict() == {"A": False, "B": True}


def test_a_class_without_an_image_in_the_sample_has_no_figures():
    """Slow methods are scored on a sample, which may miss a small class."""
    labels = np.array(["A"] * 30 + ["B"])
    [first, second] = by_class({"nlm": table(errors(30))}, labels, DRAWS)

    assert first["nlm_mse"] == pytest.approx(errors(30).mean())
    assert (second["images"], second["nlm_images"], second["nlm_mse"]) == (1, 0, None)
