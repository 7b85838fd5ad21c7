"""Why a step ran again: which setting, input, function or library differs from the last time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import DamagedError
from .journal import RunRecord
from .manifest import KeyParts
from .runner import PlannedStep
from .store import Store

Kind = Literal["setting", "input", "code", "library", "engine"]
ABSENT = "-"
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
        reason = ", ".join(map(_in_words, found)) or "the order of its inputs or its code changed"
        return Explanation(label, reason, found)
    return Explanation(label, "it was not computed before", [])


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
