"""Experiments as values: what may be asked for, which points that are, and what came of them."""

import pytest

from autoencoders.errors import PipelineError
from autoencoders.experiments.grammar import Choice, Range, read_values, varied_settings
from autoencoders.experiments.outcomes import (
    mean_and_spread,
    not_told_apart,
    pareto_front,
    psnr_of,
)
from autoencoders.experiments.points import grid_points, point_at, search_space, shortened
from autoencoders.experiments.search import FIRST, Search
from autoencoders.figures.pareto import pareto
from autoencoders.report.experiment_page import experiment_page
from autoencoders.settings import REFERENCE, apply_preset
from tests.browser import WINDOWS


def test_a_grid_is_every_combination_of_its_values():
    """The last setting varies fastest; all else is as in the settings that points start from."""
    grid = {"training.learning_rate": "1e-3, 3e-4", "noise.factor": "0.3,0.5"}
    points = grid_points(REFERENCE, grid, "denoiser", 1)

    assert [dict(one.values) for one in points] == [
        {"training.learning_rate": rate, "noise.factor": factor}
        for rate in (0.001, 0.0003) for factor in (0.3, 0.5)
    ]  # fmt: skip
    assert points[3].settings.training.learning_rate == 0.0003
    assert points[3].settings.noise.factor == 0.5
    assert points[0].settings.training.epochs == REFERENCE.training.epochs
    assert points[0].words == "training.learning_rate=0.001, noise.factor=0.3"


def test_values_have_the_types_of_their_settings():
    """Whole numbers, words, and yes or no, as on the command line."""
    kinds = {
        "training.batch_size": (32, 64), "training.optimizer": ("adamw", "muon"),
        "denoiser.fresh_noise": (True, False), "residual.mixing": (False, True),
    }  # fmt: skip
    for name, values in kinds.items():
        text = ",".join(str(one).lower() for one in values)
        assert read_values("--grid", name, text, "denoiser") == Choice(values)


def test_epochs_replace_the_steps_of_a_preset():
    """As they do for the main job; steps that are asked for count."""
    base = apply_preset("fast")

    assert point_at(base, {"training.epochs": 3}).settings.training.steps == 0
    both = point_at(base, {"training.epochs": 3, "training.steps": 7})
    assert both.settings.training.steps == 7


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"training.rate": "1"}, "--grid training.rate: there is no such setting. There is "
                                 "training.epochs, training.steps, "),
        ({"rate": "1"}, "--grid rate: there is no such setting."),
        ({"training.learning_rate": "1e-3,5"}, "less than or equal to 1. Received: 5. "
                                               "training.learning_rate: .* From 1e-09 to 1."),
        ({"training.batch_size": "0"}, "Received: 0. training.batch_size: Images per training "
                                       "step. From 1 to 1,000,000."),
        ({"training.learning_rate": "1e-3,"}, "Received nothing between two commas"),
        ({"training.learning_rate": "nan"}, "Received: nan"),
        ({"training.learning_rate": "1e-3,0.001"}, "0.001 is given twice. Give each value once."),
        ({"training.optimizer": "sgd"}, "'rmsprop', 'adamw' or 'muon'. Received: sgd"),
        ({"training.learning_rate": "1e-4..1e-2"}, "a grid has values, not ranges"),
        ({"seed": "1,2"}, "the seed is not a setting to optimise. .* --seeds"),
        ({"evaluation.images": "1,2"}, "does not change how the denoiser is trained"),
        ({"autoencoder.network": "residual"}, "does not change how the denoiser is trained"),
        ({"training.validation_fraction": "0.1,0.2"}, "it decides which images"),
        ({"denoiser.noise_spread": "0.1,0.2"}, "The point denoiser.noise_spread=0.1 is impossible: "
                                               "`noise_spread` applies to noise"),
        ({"training.batch_size": ",".join(map(str, range(1, 301)))}, "has 300 points, 300 trainings"
                                                                     ".* at most 256"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_is_refused(grid, said):
    """Before anything runs, with the setting, what arrived, and what it may be."""
    with pytest.raises(PipelineError, match=said):
        grid_points(REFERENCE, grid, "denoiser", 1)


def test_seeds_count_towards_the_most_trainings():
    """A grid that is small enough for one seed may be too large for three."""
    grid = {"training.batch_size": ",".join(map(str, range(1, 101)))}
    grid_points(REFERENCE, grid, "denoiser", 2)

    with pytest.raises(PipelineError, match="100 points, 300 trainings with --seeds 3"):
        grid_points(REFERENCE, grid, "denoiser", 3)


def test_the_advice_to_a_misspelt_setting_leads_to_one_that_exists():
    """Every name that a message lists can be varied."""
    with pytest.raises(PipelineError) as caught:
        grid_points(REFERENCE, {"denoiser.spread": "1"}, "denoiser", 1)
    named = caught.value.advice.removeprefix("There is ").removesuffix(".").split(", ")

    assert named == ["denoiser.fresh_noise", "denoiser.noise_spread", "denoiser.network"]
    assert set(named) <= set(varied_settings("denoiser"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1e-4..1e-2:log", Range(1e-4, 1e-2, whole=False, logarithmic=True)),
        ("0.1..0.5", Range(0.1, 0.5, whole=False, logarithmic=False)),
    ],
)
def test_a_range_is_written_with_two_dots(text, found):
    """Linear, or logarithmic if it says so."""
    assert read_values("--space", "training.learning_rate", text, "denoiser") == found


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"training.learning_rate": "1e-2..1e-4"}, "ends at 0.0001, but begins at 0.01"),
        ({"training.warmup": "0..0.5:log"}, "a logarithmic range cannot begin at 0"),
        ({"training.learning_rate": "1e-4..2"}, "less than or equal to 1. Received: 2"),
        ({"training.learning_rate": "1..2..3"}, "expected LOW..HIGH"),
        ({"training.optimizer": "adamw..muon"}, "needs a numeric setting.* rmsprop, adamw, muon"),
        ({"training.learning_rate": "0.1"}, "a single value cannot be searched. .*"
                                            "--training.learning_rate 0.1"),
        ({"noise.factor": "0.1..0.9"}, "points at different noise cannot be compared"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_searched_is_refused(space, said):
    """With the setting, what arrived, and what to do."""
    with pytest.raises(PipelineError, match=said):
        search_space(space, "denoiser", 5, 1)


def test_a_search_that_is_repeated_asks_for_the_same_points():
    """So its trainings come from the cache; another seed asks for others."""
    space = search_space(
        {"training.learning_rate": "1e-4..1e-2:log", "residual.width": "8..64",
         "training.optimizer": "adamw,muon"}, "denoiser", 12, 1,
    )  # fmt: skip

    def asked(seed):
        search, found = Search(space, seed), []
        for _ in range(12):
            found.append(search.ask())
            search.hopeless(found[-1]["training.learning_rate"])
            search.tell([abs(found[-1]["training.learning_rate"] - 1e-3)])
        return found

    first = asked(0)
    assert asked(0) == first
    assert asked(1) != first
    assert all(1e-4 <= one["training.learning_rate"] <= 1e-2 for one in first)
    assert all(isinstance(one["residual.width"], int) for one in first)


def test_a_search_gives_up_what_is_worse_than_half_of_the_others():
    """By the loss after a short training, once there is something to compare with."""
    space = {"training.learning_rate": Range(1e-4, 1e-2, whole=False, logarithmic=True)}
    search = Search(space, 0)
    for number in range(FIRST):
        search.ask()
        assert not search.hopeless(0.01 * (number + 1))
        search.tell([0.01])
    search.ask()
    assert search.hopeless(0.03)
    search.give_up()
    search.ask()
    assert not search.hopeless(0.02)


def test_a_shortened_training_has_a_share_of_the_length():
    """Of its steps if it has such, else of its epochs; none if it is too short."""
    steps, epochs = apply_preset("fast"), REFERENCE

    assert shortened(steps, 4).training.steps == 580 // 4
    assert shortened(epochs, 4).training.epochs == 50 // 4
    short = point_at(REFERENCE, {"training.epochs": 3}).settings
    assert shortened(short, 4) is None


def test_mean_and_spread_are_those_of_seeds():
    """The sample standard deviation; a single seed has none."""
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_spread([1.5]) == (1.5, None)
    assert psnr_of(0.01) == pytest.approx(20)


def test_the_front_has_what_no_other_point_beats():
    """Cheapest first; what costs more and gains no more is not on it, nor are equals."""
    costs = [3.0, 1.0, 2.0, 2.0, 5.0, 1.0]
    gains = [9.0, 5.0, 7.0, 8.0, 9.0, 5.0]

    assert pareto_front(costs, gains) == [1, 3, 0]
    assert pareto_front([], []) == []


def test_points_within_the_spread_of_seeds_are_not_told_apart():
    """One seed tells nothing of that."""
    means, spreads = [18.0, 17.95, 17.0], [0.1, 0.02, 0.1]

    assert not_told_apart(means, spreads, 0) == [1]
    assert not_told_apart(means, [None, None, None], 0) == []


def test_the_figure_draws_a_front_per_noise():
    """Each panel has its own points, front and chosen one, and names those on the front."""
    import pandas as pd

    table = pd.DataFrame(
        {"point": [1, 2, 3], "words": ["training.steps=1", "training.steps=9", "training.steps=1"],
         "noise": ["weak", "weak", "strong"], "psnr": [17.0, 18.0, 15.0],
         "spread": [0.1, float("nan"), 0.2], "cost": [10.0, 90.0, 10.0],
         "chosen": [False, True, True]}
    )  # fmt: skip
    weak, strong = pareto(table, title="All").axes

    assert weak.get_title() == "weak"
    assert [text.get_text() for text in weak.texts] == ["1", "2"]
    assert [text.get_text() for text in strong.texts] == ["3"]
    named = [text.get_text() for text in weak.get_legend().get_texts()]
    assert {"1: steps=1", "2: steps=9", "chosen"} <= set(named)


@pytest.fixture
def page():
    """The page of an experiment in which something is called like markup."""
    row = {"point": 2, "state": "chosen", "rate": "<b>", "PSNR (dB)": 18.123, "± seeds": None,
           "cost (CPU s)": 1234.5, "test PSNR": None, "note": ""}  # fmt: skip
    facts = {
        "what": "Experiment on <data>", "headline": "Which is best", "conclusions": ["Point 2."],
        "doubts": [], "points": [row], "chosen": [2], "convention": "", "commands": ["python"],
    }  # fmt: skip
    return experiment_page(facts, "data:image/png;base64,AA")


def test_the_page_of_an_experiment_shows_every_point_and_trusts_no_text(page):
    """Numbers are sorted as numbers; what is called like markup is shown as text; nothing is
    asked of any network."""
    assert "<b>" not in page
    assert "&lt;data&gt;" in page
    assert '<td class="number" data-value="1234.5">1,234.5</td>' in page
    assert '<td class="number" data-value="">-</td>' in page
    assert '<tr class="ours"><th scope="row" data-value="2">' in page
    assert "http:" not in page
    assert "https:" not in page


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_a_browser_shows_an_experiment_without_complaint(page, browser, tmp_path, width, dark):
    """On a desktop and on a phone: no message, no request, nothing wider than the window."""
    (tmp_path / "experiment.html").write_text(page)

    assert browser.faults(tmp_path / "experiment.html", width=width, dark=dark) == []
