"""Retraining: new data in, a challenger out, which becomes champion only if it is truly better.

Run it with `python flows/retrain.py --data FOLDER --inbox FOLDER`, or on a schedule as the
deployment `retrain/nightly`.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from autoencoders.retraining import DEFAULTS, RetrainingSettings, RetrainSettings, least_gain
from autoencoders.settings import PresetName, ResolvedSettings, apply_preset
from flows.advice import REFUSALS, in_place
from flows.by_hand import job
from flows.challenge import Challenge
from flows.champion import (
    CHAMPION,
    NETWORK,
    PROMOTED,
    REFUSED,
    STOPPED,
    champion_of,
    require_evidence,
)
from flows.naming import add_tags, run_name, tag_run
from flows.nights import Night, nothing_new, story
from flows.ops.machine import operations
from flows.ops.notifications import notify_decision, notify_failure
from flows.options import ARTIFACTS, SAMPLE, Artifacts, Data, Folder, Preset, run_command
from flows.user_data import find_data
from tasks.draw_nights import draw_nights
from tasks.engine.aliases import Alias
from tasks.engine.decisions import Target
from tasks.engine.errors import DamagedError, MovedError
from tasks.engine.files import json_digest
from tasks.engine.handles import ArtifactRef
from tasks.engine.logs import run_logger
from tasks.engine.pages import show
from tasks.engine.refusals import telling
from tasks.engine.runner import input_refs
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.find_inbox import find_inbox, require_apart
from tasks.resolve import resolve_settings

KEPT = ("models/", "history/", "evidence/", "figures/", "inbox/", "inspection.json", "drift.json")
"""What of the files is in the folder of a run."""

Refs = Mapping[str, ArtifactRef]
Entries = Mapping[str, Mapping[str, Path]]
"""By entry of the inbox, its files by role."""
RetrainingOptions = Annotated[RetrainingSettings, Parameter(name="*")]
Inbox = Annotated[
    Folder | None,
    Parameter(
        help="Folder to which files with more images are added. Each entry may be anything that "
        "--data accepts; its images are added to those of --data. A single set is split."
    ),
]


@job(
    name="retrain", flow_run_name=run_name, on_failure=[notify_failure],
    on_crashed=[notify_failure],
)  # fmt: skip
def retrain(
    data: Path = SAMPLE,
    preset: PresetName = "reference",
    settings: RetrainingSettings | None = None,
    artifacts: Path = ARTIFACTS,
    inbox: Path | None = None,
) -> Night:
    """Train a challenger on new data, and make it the champion if it is truly better.

    Args:
        data: File or folder of images, in any form that `docs/data.md` lists.
        preset: Where the settings start from; see the main job.
        settings: Fields that replace those of the preset; `retrain` says when a challenger wins.
        artifacts: Folder for all results; the champion is one of its runs.
        inbox: Folder to which files with more images are added; each may be what `data` accepts.

    Returns:
        How it ended: promoted, refused, stopped, or nothing new.

    Raises:
        PipelineError, EngineError: If the user can fix what is wrong; the message says how.
    """
    tag_run(preset, data)
    rules = settings.retrain if settings else RetrainSettings()
    asked = apply_preset(preset, settings)
    resolved = resolve_settings(asked)
    with telling(REFUSALS):
        store, machine = Store(artifacts), operations()
        entries = find_inbox(inbox) if inbox else {}
        paths, values = _paths(data, inbox, entries), resolved.model_dump(mode="json")

        def given(refs: Refs) -> str:
            """Return a digest of contents and settings, as asked for: machines resolve them."""
            contents, more = _split(refs, entries)
            added = sorted(_contents(one) for one in more.values())
            chosen = [preset, asked.model_dump(mode="json"), rules.model_dump(mode="json")]
            return json_digest([_contents(contents), added, chosen], sort_keys=True)

        night = nothing_new(store, given(input_refs(paths)))
        if night is not None:
            show(night.pages(), night.folder)
            machine.mirror(store)  # which makes up for what it has missed
        else:
            with Run(store, values, paths, machine) as run:
                margin = least_gain(preset, rules)
                night = _hold(run, entries, resolved, rules, margin, given)
            notify_decision(night.notice())
    run_logger().info("%s", night.summary())
    add_tags(night.event)
    return night


def _contents(refs: Refs) -> list[list[str]]:
    return sorted([role, ref.sha256] for role, ref in refs.items())


def _paths(data: Path, inbox: Path | None, entries: Entries) -> dict[str, Path]:
    """Return all files by role; those of the inbox by the number of their entry, too."""
    found = find_data(data)
    if inbox:
        require_apart(inbox, found.values())
    for number, roles in enumerate(entries.values(), start=1):
        found |= {f"inbox_{number}_{role}": path for role, path in roles.items()}
    return found


def _split(refs: Refs, entries: Entries) -> tuple[Refs, dict[str, Refs]]:
    """Return the files of the data by role, and those of the inbox by entry and role."""
    data = {role: ref for role, ref in refs.items() if not role.startswith("inbox_")}
    inbox: dict[str, Refs] = {
        entry: {role: refs[f"inbox_{number}_{role}"] for role in roles}
        for number, (entry, roles) in enumerate(entries.items(), start=1)
    }
    return data, inbox


def _hold(
    run: Run, entries: Entries, settings: ResolvedSettings, rules: RetrainSettings, margin: float,
    given: Callable[[Refs], str],
) -> Night:  # fmt: skip
    """Decide about a challenger, again if the champion changes meanwhile."""
    data, inbox = _split(run.data, entries)
    while True:
        champion = champion_of(run.store)
        challenge = Challenge(run.step, data, inbox, settings, rules, champion, margin)
        try:
            event, facts = _challenge(challenge)
        except (DamagedError, ValueError):
            if champion is not None:
                require_evidence(run.store, champion)  # or it says what helps there
            raise
        facts |= {
            "given": given(run.data),
            "champion": champion and {"run": champion.run, "sha256": champion.sha256},
            "challenger": challenge.files[NETWORK].sha256 if NETWORK in challenge.files else None,
            "data": {name: ref.sha256 for name, ref in run.data.items()},
            "retrain": rules.model_dump(mode="json"),
        }
        try:
            return _conclude(run, challenge, event, facts)
        except MovedError as error:
            run_logger().info("%s Deciding again.", error.problem)


def _challenge(challenge: Challenge) -> tuple[str, dict[str, Any]]:
    """Do all steps up to the decision; return it and its evidence."""
    challenge.read_images()
    counts = challenge.find_unseen()
    facts: dict[str, Any] = {"images": counts, "drift": [], "checks": []}
    facts["warnings"] = challenge.other_ranges()
    if counts["left"] < challenge.retrain.images:
        return REFUSED, {**facts, "reasons": [_too_few(counts, challenge.retrain.images)]}
    facts["drift"] = challenge.measure_drift()
    drifted = [one["measure"] for one in facts["drift"] if one["drifted"]]
    if drifted:
        text = f"The data have drifted from those of the champion: {', '.join(drifted)}."
        if challenge.retrain.drift == "stop":
            advice = "If the new data are correct, continue with --retrain.drift warn."
            return STOPPED, {**facts, "reasons": [in_place(f"{text} {advice}")]}
        facts["warnings"].append(text)
    challenge.train()
    found = challenge.compare()
    facts |= {"checks": found["checks"], "reasons": found["reasons"]}
    facts["warnings"] += found["warnings"]
    return PROMOTED if found["promote"] else REFUSED, facts


def _too_few(counts: Mapping[str, int], fewest: int) -> str:
    return in_place(
        f"Of {counts['images']:,} test images, {counts['left']:,} are new to both champion and "
        f"challenger; {fewest:,} are the fewest to compare them on (--retrain.images)."
    )


def _conclude(run: Run, challenge: Challenge, event: str, facts: dict[str, Any]) -> Night:
    """Publish the run, and write the decision down: together, or the decision is made again.

    Raises:
        MovedError: If the champion is another one by now; nothing is published.
    """
    champion, files = challenge.champion, challenge.files
    alias, name = Alias(run.store, CHAMPION), run.journal.record.name
    network = files.get(NETWORK)
    target = None
    if event == PROMOTED and network is not None:
        target = Target(run=name, files={NETWORK: network.sha256})
    rows = story(alias, name, event, facts)
    drawn = run.step("draw nights", draw_nights, nights=rows)
    files["figures/nights.png"] = drawn["nights.png"]
    with alias.deciding(champion.number if champion else 0) as write:
        folder = run.store.root / "runs" / name
        night = Night(event, name, facts, folder, rows, champion.run if champion else None, files)
        for warning in night.warnings():
            run_logger().warning("%s", warning)
        run.publish(
            {place: ref for place, ref in files.items() if place.startswith(KEPT)},
            {"summary.md": night.text(), "decision.json": night.decision_file()},
            night.pages(),
            latest=False,
        )
        write(event, facts, target, name)
    return night


app = App(name="retrain", help=__doc__)


@app.default
def main(
    *,
    data: Data = SAMPLE,
    preset: Preset = "reference",
    artifacts: Artifacts = ARTIFACTS,
    inbox: Inbox = None,
    settings: RetrainingOptions = DEFAULTS,
) -> None:
    """Train a challenger on new data, and make it the champion if it is truly better."""
    night = retrain(data, preset, settings, artifacts, inbox)
    print(night.summary())
    if night.folder is not None:
        print(f"Everything is in {night.folder}")


if __name__ == "__main__":
    run_command(app)
