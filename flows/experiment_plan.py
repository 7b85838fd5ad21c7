"""What an experiment is to find out, refused before anything runs if it cannot be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from autoencoders.errors import DivergedError, PipelineError
from autoencoders.experiments.grammar import Choice, Range
from autoencoders.experiments.points import (
    Point,
    grid_points,
    point_at,
    search_space,
    shortened,
)
from autoencoders.settings import Settings
from flows.catalogue import METHODS, Method
from flows.recipe import has_own_noise
from flows.trials import (
    DIVERGED,
    GIVEN_UP,
    IMPOSSIBLE,
    REPEATED,
    TRAINED,
    Trial,
    Trials,
    identity,
    require_different,
)
from tasks.resolve import resolve_settings

if TYPE_CHECKING:
    from autoencoders.experiments.search import Search

Network: TypeAlias = Literal["denoiser", "autoencoder"]
SHORT = 4
"""In a search, a training of a quarter of the length comes first."""
ORDERS = ("psnr", "cost", "point")
"""What a table can be sorted by, beside the settings that vary."""


def named_values(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Return what `NAME=VALUES` texts say, by name.

    Raises:
        PipelineError: If one is of another form, or a name is there twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise PipelineError(
                f"{option} {text}: expected NAME=VALUE,VALUE.",
                f"For example {option} training.learning_rate=1e-3,3e-4.",
            )
        if name in found:
            raise PipelineError(f"{option} {name}: this setting is given twice.",
                                "Give all its values at once, separated by commas.")  # fmt: skip
        found[name] = values
    return found


@dataclass(frozen=True)
class Question:
    """What is asked, whole and possible."""

    base: Settings
    """What all points have in common."""
    network: Network
    grid: Mapping[str, str]
    search: int
    space: Mapping[str, str]
    seeds: int
    points: list[Point]
    """Those of the grid; none of a search."""
    ranges: Mapping[str, Choice | Range]
    """Where a search looks; nothing of a grid."""

    @classmethod
    def asked(
        cls, base: Settings, network: Network, grid: Mapping[str, str], search: int,
        space: Mapping[str, str], seeds: int,
    ) -> "Question":  # fmt: skip
        """Check what is asked.

        Raises:
            PipelineError: If it is nothing, or cannot be answered.
        """
        _require_one_way(grid, search, space)
        points = grid_points(base, grid, network, seeds) if grid else []
        ranges = search_space(space, network, search, seeds) if search else {}
        require_different(points, _method(network))
        return cls(base, network, grid, search, space, seeds, points, ranges)

    @property
    def method(self) -> Method:
        """The method whose network is trained."""
        return _method(self.network)

    @property
    def names(self) -> list[str]:
        """The settings that vary, by dotted name."""
        return [*(self.grid or self.space)]

    def values(self) -> dict[str, Any]:
        """Return the question as JSON values."""
        return {
            "experiment": {
                "network": self.network, "seeds": self.seeds, "grid": dict(self.grid),
                "search": self.search, "space": dict(self.space),
            },
            "base": resolve_settings(self.base).model_dump(mode="json"),
        }  # fmt: skip

    def require_drawn_noise(self, files: Mapping[str, Any]) -> None:
        """Refuse to vary noise that comes with the images.

        Raises:
            PipelineError: If that is asked for.
        """
        named = [name for name in self.names if name.startswith("noise.")]
        if named and has_own_noise(files):
            raise PipelineError(
                f"--grid {named[0]}: these images come with noise of their own, so none is drawn.",
                "Leave it out, or give only clean images.",
            )

    def require_order(self, sort: str) -> None:
        """Refuse to sort a table by what it does not have.

        Raises:
            PipelineError: If that is asked for.
        """
        if sort not in (*ORDERS, *self.names):
            raise PipelineError(f"--sort {sort}: the table has no such column.",
                                f"It has {', '.join((*ORDERS, *self.names))}.")  # fmt: skip

    def require_points(self) -> list[Point]:
        """Return the points, where they are known before.

        Raises:
            PipelineError: If they are not.
        """
        if not self.points:
            raise PipelineError(
                "--plan: the points of a search depend on the results of earlier ones.",
                "Leave --plan out, or give a --grid.",
            )
        return self.points

    def find_out(self, trials: Trials) -> list[Trial]:
        """Train the points; return what came of each, in order.

        Raises:
            PipelineError: If nothing came of any of them.
        """
        found = self._searched(trials) if self.search else self._gridded(trials)
        if not any(one.state == TRAINED for one in found):
            reasons = " ".join(dict.fromkeys(one.note for one in found if one.note))
            raise PipelineError(
                f"None of the {len(found)} points could be trained to its end. {reasons}",
                "Try others, above all with a smaller --training.learning_rate.",
            )
        return found

    def _gridded(self, trials: Trials) -> list[Trial]:
        return trials.train(dict(enumerate(self.points, start=1)))

    def _searched(self, trials: Trials) -> list[Trial]:
        from autoencoders.experiments.search import Search  # it loads Optuna, which grids need not

        search, found = Search(self.ranges, self.base.seed), list[Trial]()
        before: dict[str, Trial] = {}
        while len(found) < self.search:
            number, values = len(found) + 1, search.ask()
            try:
                point = point_at(self.base, values)
            except PipelineError as error:
                search.fail()
                impossible = Point(values, self.base)
                found.append(Trial(number, impossible, IMPOSSIBLE, note=error.problem))
                continue
            name = identity(point, self.method)
            trial = before.get(name) or _tried(trials, search, number, point)
            _answer(search, trial)
            if name in before:
                note = f"the same training as point {trial.number}"
                trial = Trial(number, point, REPEATED, note=note)
            before.setdefault(name, trial)
            found.append(trial)
        return found


def _tried(trials: Trials, search: "Search", number: int, point: Point) -> Trial:
    """Train a point, unless a short training says that it is hopeless."""
    short = shortened(point.settings, SHORT)
    if short is not None:
        first = trials.train_short(point, short, f"1/{SHORT} of its length")
        if isinstance(first, DivergedError):
            return Trial(number, point, DIVERGED, note=first.problem)
        if search.hopeless(first.loss):
            return Trial(number, point, GIVEN_UP, [first])
    [trial] = trials.train({number: point})
    return trial


def _answer(search: "Search", trial: Trial) -> None:
    """Tell the search what came of the point that it asked for."""
    if trial.state == TRAINED:
        search.tell([one.loss for one in trial.trainings])
    elif trial.state == GIVEN_UP:
        search.give_up()
    else:
        search.fail()


def _require_one_way(grid: Mapping[str, str], search: int, space: Mapping[str, str]) -> None:
    if grid and (search or space):
        raise PipelineError(
            "--grid and --search exclude each other.",
            "Give the values of --grid as --space to search among them.",
        )
    if search and not space:
        raise PipelineError(
            "--search: no search space is given.",
            "Give one with --space training.learning_rate=1e-4..1e-2:log.",
        )
    if space and not search:
        raise PipelineError("--space: the number of points to sample is missing.",
                            "Give it with --search 20.")  # fmt: skip
    if not grid and not search:
        raise PipelineError(
            "An experiment needs settings that vary.",
            "Give --grid training.learning_rate=1e-3,3e-4, or --search 20 with --space.",
        )


def _method(network: str) -> Method:
    return next(one for one in METHODS if one.name == network)
