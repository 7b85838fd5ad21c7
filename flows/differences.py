"""How the settings of runs differ."""

from collections.abc import Iterator, Mapping
from typing import Any

MOST_NAMED = 4
"""Settings that are named where there is one line for them."""


def dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings by dotted name."""
    return dict(_dotted(settings))


def _dotted(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in _dotted(value))
        else:
            yield name, value


def changed_settings(*every: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the settings in which runs differ, by dotted name, each with one value per run.

    A setting that a run does not have, since it is of another version, is None there.
    """
    flat = [dotted(settings) for settings in every]
    names = dict.fromkeys(name for one in flat for name in one)
    values = {name: tuple(one.get(name) for one in flat) for name in names}
    return {
        name: found for name, found in values.items() if any(value != found[0] for value in found)
    }


def in_words(changes: Mapping[str, tuple[Any, ...]]) -> str:
    """Name the first changes in one line."""
    named = [f"{name} {' -> '.join(map(shown, values))}" for name, values in changes.items()][
        :MOST_NAMED
    ]
    more = len(changes) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def shown(value: Any) -> str:
    """Return a setting as people write it; what is not set is a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(map(shown, value)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
