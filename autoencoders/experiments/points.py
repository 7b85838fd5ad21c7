"""The points of an experiment: each is the settings of one training."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from autoencoders.errors import PipelineError
from autoencoders.experiments.grammar import Choice, Range, read_values
from autoencoders.settings import Settings

MOST_TRAININGS = 256
"""Points times seeds that one experiment may have."""


@dataclass(frozen=True)
class Point:
    """One combination of values."""

    values: Mapping[str, Any]
    """By dotted name, what differs from point to point."""
    settings: Settings
    """All settings of the point."""

    @property
    def words(self) -> str:
        """Its values in one line."""
        return ", ".join(f"{name}={written(value)}" for name, value in self.values.items())

    @property
    def problem(self) -> tuple[str, float]:
        """Which noise it is to remove: only points of the same one can be compared."""
        return self.settings.noise.kind, self.settings.noise.factor


def written(value: Any) -> str:
    """Return a value as it is written on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def grid_points(base: Settings, grid: Mapping[str, str], network: str, seeds: int) -> list[Point]:
    """Return every combination of the values of a grid, the last setting varying fastest.

    Args:
        base: What all points have in common.
        grid: By dotted name, values with commas between.
        network: Which network is trained.
        seeds: How many trainings each point is.

    Raises:
        PipelineError: If a value is none that its setting can have, settings of a point contradict
            each other, or there are too many.
    """
    choices = {name: _choice(name, text, network) for name, text in grid.items()}
    count = seeds
    for one in choices.values():
        count *= len(one.values)
    if count > MOST_TRAININGS:
        raise PipelineError(
            f"The grid has {count // seeds:,} points, {count:,} trainings with --seeds {seeds}; at "
            f"most {MOST_TRAININGS} trainings are allowed in one experiment.",
            "Give fewer values, or sample with --search.",
        )
    rows = itertools.product(*(one.values for one in choices.values()))
    return [point_at(base, dict(zip(choices, row, strict=True))) for row in rows]


def search_space(
    space: Mapping[str, str], network: str, searched: int, seeds: int
) -> dict[str, Choice | Range]:
    """Return what a search may ask for.

    Args:
        space: By dotted name, values with commas between, or a range.
        network: Which network is trained.
        searched: How many points are asked for.
        seeds: How many trainings each point is.

    Raises:
        PipelineError: If a value is none that its setting can have, there is nothing to choose
            from, or too many points are asked for.
    """
    if searched * seeds > MOST_TRAININGS:
        raise PipelineError(
            f"--search {searched} with --seeds {seeds} are {searched * seeds:,} trainings; at most "
            f"{MOST_TRAININGS} are allowed in one experiment.",
            "Ask for fewer points or seeds.",
        )
    found = {name: read_values("--space", name, text, network) for name, text in space.items()}
    for name, one in found.items():
        if name.startswith("noise."):
            raise PipelineError(
                f"--space {name}: points at different noise cannot be compared, so a search has "
                "one noise.",
                f"Give it for all points: --{name} VALUE; a grid compares those of each noise.",
            )
        if isinstance(one, Choice) and len(one.values) == 1:
            raise PipelineError(f"--space {name}={space[name]}: a single value cannot be searched.",
                                f"Give it for all points: --{name} {space[name]}.")  # fmt: skip
    return found


def _choice(name: str, text: str, network: str) -> Choice:
    found = read_values("--grid", name, text, network)
    if isinstance(found, Range):
        raise PipelineError(
            f"--grid {name}={text}: a grid has values, not ranges.",
            "List them, separated by commas, or use --search and --space.",
        )
    return found


def point_at(base: Settings, values: Mapping[str, Any]) -> Point:
    """Return the point that has these values, and otherwise the settings of `base`.

    Epochs replace steps that the base has, as they replace those of a preset.

    Raises:
        PipelineError: If its settings contradict each other.
    """
    merged = base.model_dump()
    if "training.epochs" in values:
        merged["training"]["steps"] = 0
    for name, value in values.items():
        group, _, field = name.partition(".")
        merged[group][field] = value
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        faults = [fault["msg"].removeprefix("Value error, ") for fault in error.errors()]
        words = Point(values, base).words
        raise PipelineError(f"The point {words} is impossible: {'; '.join(faults)}.") from error
    return Point(values, settings)


def shortened(settings: Settings, share: int) -> Settings | None:
    """Return settings of which the training has one of `share` parts of the length.

    Its schedule ends as that of a whole training does, so its loss can be trusted to say which of
    two such trainings is better, as that in the middle of a long one cannot.

    Returns:
        None if the training is too short to be cut.
    """
    training = settings.training
    length = training.steps or training.epochs
    if length < share:
        return None
    field = "steps" if training.steps else "epochs"
    cut = training.model_copy(update={field: length // share})
    return settings.model_copy(update={"training": cut})


def varied(points: list[Point]) -> Iterator[str]:
    """Yield the names of the settings that points differ in."""
    for name in points[0].values if points else ():
        if len({written(point.values[name]) for point in points}) > 1:
            yield name
