"""Which point to try next: Optuna, asked so that a search can be repeated from the beginning."""

import statistics
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from autoencoders.experiments.grammar import Choice, Range
from autoencoders.randomness import derived_seed

FIRST = 4
"""Points that are never given up: what is hopeless is only known by comparison."""


class Search:
    """A search for the settings with the least validation loss.

    What is asked for depends on the seed and on what was answered before alone. A search that is
    repeated asks for the same points in the same order; their trainings come from the cache, so
    nothing of a search needs to be kept.
    """

    def __init__(self, space: Mapping[str, Choice | Range], seed: int) -> None:
        """Search in `space`, with everything drawn by chance derived from `seed`."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = {name: _distribution(one) for name, one in space.items()}
        self._study = optuna.create_study(
            direction="minimize",
            sampler=optuna.samplers.TPESampler(seed=derived_seed(seed, "search")),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST),
        )
        self._trial: optuna.Trial | None = None

    def ask(self) -> dict[str, Any]:
        """Return the values of the next point, by dotted name of the setting."""
        self._trial = self._study.ask(self._space)
        return {name: self._trial.params[name] for name in self._space}

    def hopeless(self, loss: float) -> bool:
        """Return whether the point is to be given up: its loss after a short training is above the
        median of those of the points that were trained to the end."""
        self._asked.report(loss, step=0)
        return self._asked.should_prune()

    def give_up(self) -> None:
        """Say that the point was not trained to the end."""
        self._study.tell(self._asked, state=TrialState.PRUNED)

    def fail(self) -> None:
        """Say that nothing came of the point: it cannot be trained, or its loss diverged."""
        self._study.tell(self._asked, state=TrialState.FAIL)

    def tell(self, losses: list[float]) -> None:
        """Say which validation losses the point has reached, one per seed."""
        self._study.tell(self._asked, statistics.fmean(losses))

    @property
    def _asked(self) -> optuna.Trial:
        assert self._trial is not None
        return self._trial


def _distribution(one: Choice | Range) -> BaseDistribution:
    if isinstance(one, Choice):
        return CategoricalDistribution(one.values)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.logarithmic)
    return FloatDistribution(one.low, one.high, log=one.logarithmic)
