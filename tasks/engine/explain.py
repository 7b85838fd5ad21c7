"""Why a step runs again, and what it cost the last time.

Which setting, input, function or library differs is read from the keys of earlier runs.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import DamagedError
from .journal import RunRecord
from .manifest import KeyParts
from .runner import PlannedStep
from .store import Store

Kind = Literal["setting", "input", "code", "library", "environment", "engine"]
ABSENT = "-"
MOST_NAMED = 3
"""Differences that are named where there is one line for them."""
LONGEST_VALUE = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Difference:
    """One thing that decides a step's output and has changed."""

    kind: Kind
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Explanation:
    """Why one step was not taken from the cache."""

    label: str
    reason: str
    """In a few words."""
    differences: list[Difference]


def differences(old: KeyParts, new: KeyParts) -> list[Difference]:
    """List what differs between two computations of a stage."""
    pairs: list[tuple[Kind, dict[str, str], dict[str, str]]] = [
        ("setting", _flat(old.settings), _flat(new.settings)),
        ("input", _digests(old), _digests(new)),
        ("code", old.code, new.code),
        ("library", old.libraries, new.libraries),
        ("environment", old.environment or {}, new.environment or {}),
        ("engine", {"format": str(old.engine)}, {"format": str(new.engine)}),
    ]
    return [
        Difference(kind, name, before.get(name, ABSENT), after.get(name, ABSENT))
        for kind, before, after in pairs
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def explain_key(
    store: Store, label: str, new: KeyParts, earlier: Sequence[RunRecord]
) -> Explanation:
    """Say why a step with these parts does not repeat the last one of its name.

    Args:
        store: Where manifests are.
        label: The step.
        new: What decides its output now.
        earlier: The runs before, oldest first.
    """
    before = [
        step.key for run in reversed(earlier) for step in run.steps if step.step == label
    ]  # newest first
    if new.key in before:
        return Explanation(label, _damage(store, new), [])
    for key in before:
        try:
            old = store.manifest(new.stage, key).parts
        except DamagedError:
            continue  # that run was interrupted here, or its artifact was collected as garbage
        found = differences(old, new)
        return Explanation(label, _reason(found), found)
    return Explanation(label, "it was not computed before", [])


@dataclass(frozen=True)
class Estimate:
    """What a step cost when it was last computed, whatever its settings were then."""

    seconds: float
    size: int
    """Bytes of what it published."""


def estimate(store: Store, step: PlannedStep, earlier: Sequence[RunRecord]) -> Estimate | None:
    """Look up what a planned step cost the last time.

    Args:
        store: Where manifests are.
        step: What is planned.
        earlier: The runs before, oldest first.

    Returns:
        None for a step that is cached, and for one that has no artifact of an earlier run.
    """
    if step.state == "cached":
        return None
    for run in reversed(earlier):
        for record in run.steps:
            if (record.step, record.stage) == (step.label, step.stage):
                with contextlib.suppress(DamagedError):  # interrupted there, or garbage by now
                    manifest = store.manifest(record.stage, record.key)
                    size = sum(file.size for file in manifest.files.values())
                    return Estimate(manifest.seconds, size)
    return None


def estimated_total(steps: Sequence[PlannedStep], estimates: Sequence[Estimate | None]) -> str:
    """Say in one line what a plan may cost, by what its steps cost the last time.

    Args:
        steps: All of the plan.
        estimates: What `estimate` says of each.
    """
    count = sum(step.state != "cached" for step in steps)
    if not count:
        return f"All {len(steps)} steps are cached: nothing to compute."
    known = [one for one in estimates if one is not None]
    line = f"To compute: {count} of {len(steps)} steps, or fewer where the same bytes come out. "
    if not known:
        return line + "What they cost is not known yet: no earlier run computed them."
    seconds, size = sum(one.seconds for one in known), sum(one.size for one in known) / 1e6
    unknown = f" ({count - len(known)} of them were not computed before)" * (count > len(known))
    return line + f"The last time they took {seconds:,.1f} s and wrote {size:,.1f} MB{unknown}."


def explain_plan(store: Store, step: PlannedStep, earlier: Sequence[RunRecord]) -> str:
    """Say in a few words why a planned step would be computed; nothing if it would not."""
    if step.state == "depends":
        return "computed, unless the steps before it write the same bytes as an earlier run"
    if step.state == "cached" or step.parts is None:
        return ""
    return explain_key(store, step.label, step.parts, earlier).reason


def _damage(store: Store, parts: KeyParts) -> str:
    """Say what is wrong with an artifact that was there once."""
    if not store.folder(parts.stage, parts.key).exists():
        return "it was never finished, or its artifact was removed"
    try:
        store.find(parts.stage, parts.key)
    except DamagedError as error:
        return f"its artifact was damaged: {error.problem}"
    return "it is in the cache"


def _reason(found: list[Difference]) -> str:
    """Name the first differences; after an update of the project there may be a hundred."""
    if not found:
        return "the order of its inputs or its code changed"
    named = ", ".join(map(_in_words, found[:MOST_NAMED]))
    more = len(found) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _in_words(difference: Difference) -> str:
    if difference.kind == "code":
        module, _, name = difference.name.partition(":")
        return f"{name} of {module.replace('.', '/')}.py changed"
    return f"{difference.kind} {difference.name}: {difference.old} -> {difference.new}"


def _digests(parts: KeyParts) -> dict[str, str]:
    return {name: f"{digest[:12]}…" for name, digest in parts.inputs.items()}


def _flat(settings: dict[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested settings by dotted name."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = str(value)[:LONGEST_VALUE]
    return flat
