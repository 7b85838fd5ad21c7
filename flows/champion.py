"""The champion: the denoiser that the team uses, and how it became so.

It is an alias of the store (`tasks/engine/aliases.py`): this module says what that means here.
"""

from dataclasses import dataclass
from typing import Any

from autoencoders.errors import PipelineError
from tasks.engine.aliases import Alias, require_intact
from tasks.engine.decisions import Decision, Target
from tasks.engine.errors import AliasDamagedError, StoreError, TargetDamagedError
from tasks.engine.handles import ArtifactRef
from tasks.engine.journal import RECORD, read_record, run_folder
from tasks.engine.published import published_refs
from tasks.engine.store import Store
from tasks.engine.verify import Damage

CHAMPION = "champion"
"""Name of the alias, and of the model that `--model` takes."""
NETWORK = "models/denoiser.keras"
"""Where the network is in the folder of its run."""
PROMOTED, REFUSED, STOPPED, ROLLED_BACK = "promoted", "refused", "stopped", "rolled back"
"""What a decision can be."""


@dataclass(frozen=True)
class Champion:
    """The champion at one moment."""

    number: int
    """Of the decision that made it so."""
    run: str
    sha256: str
    """Of its network."""
    files: dict[str, ArtifactRef]
    """What its run has published, by place."""


def champion_of(store: Store) -> Champion | None:
    """Return the champion, its network read through and compared; None before the first.

    Raises:
        AliasDamagedError: If it is not known which run it is.
        NoTargetError, TargetDamagedError: If it is not there any more, or not what was promoted.
    """
    decision = Alias(store, CHAMPION).current()
    if decision is None or decision.target is None:
        return None
    target = decision.target
    require_intact(store, target)
    try:
        record = read_record(run_folder(store, target.run) / RECORD, target.run)
        files = published_refs(store, record)
    except StoreError as error:  # whose advice is for runs that anybody may repeat or remove
        raise TargetDamagedError(error.problem) from error
    return Champion(decision.number, target.run, target.files[NETWORK], files)


def require_evidence(store: Store, champion: Champion) -> None:
    """Read through what a challenger is compared by, beside the champion's network.

    Raises:
        TargetDamagedError: If something is not what its run has published.
    """
    places = [one for one in champion.files if one.startswith("evidence/")]
    files = {place: champion.files[place].sha256 for place in (*places, "inspection.json")}
    require_intact(store, Target(run=champion.run, files=files))


def damaged_champions(store: Store) -> list[Damage]:
    """Read through the network of the champion and of each former one that a rollback can restore,
    and what challengers are compared by; return what is missing or changed."""
    found = []
    alias = Alias(store, CHAMPION)
    try:
        runs = alias.pinned()
    except AliasDamagedError:
        return []  # which is told already
    targets = {one.target.run: one.target for one in alias.readable() if one.target is not None}
    for run in sorted(runs & targets.keys()):
        target = targets[run]
        try:
            require_intact(store, target)
            files = published_refs(store, read_record(run_folder(store, run) / RECORD, run))
            require_evidence(store, Champion(0, run, target.files[NETWORK], files))
        except StoreError as error:
            found.append(Damage("champion", run, error.problem))
    return found


def require_champion(store: Store) -> Champion:
    """Return the champion.

    Raises:
        PipelineError: If there is none yet.
    """
    found = champion_of(store)
    if found is None:
        raise PipelineError(
            f"{store.root}: there is no champion yet.",
            "Train the first one (`autoencoders retrain`), or use --model latest.",
        )
    return found


def endings(store: Store) -> dict[str, str]:
    """Return what retrainings have decided, by run, as far as their decisions can be read."""
    return {one.by: one.event for one in Alias(store, CHAMPION).readable() if one.by}


def roll_back(store: Store, to: str | None) -> Decision:
    """Make a former champion the champion again, at once.

    Args:
        store: Which store.
        to: The name of its run, or the end of it; None for the one before the present one.

    Returns:
        The decision.

    Raises:
        PipelineError: If there is no such former champion.
        MovedError: If another one becomes champion meanwhile.
        NoTargetError, TargetDamagedError: If it is not there any more, or not what was promoted.
    """
    alias = Alias(store, CHAMPION)
    if to is None:
        current = alias.current()  # first: one that becomes champion from here on is noticed
        target = alias.former()
        if current is None or target is None:
            raise PipelineError("There is no earlier champion to go back to.")
        over = current.number
        return alias.decide(ROLLED_BACK, _by_hand(target), over=over, target=target)
    target = _former(alias, to)
    return alias.decide(ROLLED_BACK, _by_hand(target), over=None, target=target)


def _by_hand(target: Target) -> dict[str, Any]:
    return {"reasons": [f"Rolled back to {target.run} by hand."]}


def _former(alias: Alias, name: str) -> Target:
    """Find a run that is or was the champion."""
    targets = {one.target.run: one.target for one in alias.readable() if one.target is not None}
    found = [run for run in targets if run == name] or [
        run for run in targets if name and run.endswith(f"-{name}")
    ]
    if len(found) != 1:
        raise PipelineError(
            f"{name}: {'no run' if not found else 'more than one run'} of this name was ever the "
            "champion.",
            f"There are: {', '.join(targets)}."
            if targets
            else "There is none; a first one is promoted by `autoencoders retrain`, once decisions "
            f"that are damaged, if there are any, are removed from {alias.folder}.",
        )
    return targets[found[0]]
