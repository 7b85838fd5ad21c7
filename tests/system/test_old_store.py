"""A folder of artifacts that was written before the restructuring: still read, used up in time."""

import json
from pathlib import Path

import pytest

from flows import cli
from tasks.engine.manifest import Artifact, KeyParts
from tasks.engine.published import finished_runs
from tasks.engine.store import Store
from tests.support import SMALL, STEPS, contents, states, write_dataset

OLD_STAGES = {
    "ingest": "ingest", "prepare train": "prepare", "prepare test": "prepare",
    "add noise train": "add_noise", "add noise test": "add_noise", "train autoencoder": "train",
    "train denoiser": "train", "evaluate": "evaluate", "render": "render",
}  # fmt: skip
"""The steps that the main job had then, with their stages."""
OLD_RUNS = ("20250101-000000-early-bird", "20250102-000000-late-riser")


def publish_old_artifact(store: Store, stage: str, step: str, factor: float) -> Artifact:
    """Publish an artifact whose key has no format number, as was usual then."""
    parts = KeyParts(
        stage=stage,
        settings={"step": step, "noise": {"factor": factor}},
        inputs={"b": "1" * 64, "a": "2" * 64},
        code={f"tasks.{stage}:{stage}": "0123456789abcdef"},
        libraries={"python": "3.11"},
    )
    scores = {"mse": factor / 10, "psnr": 10.0, "psnr_mean": 11.0, "ssim": None}
    metrics = dict.fromkeys(("noisy", "autoencoder", "denoiser"), scores)
    with store.writing(parts.stage, parts.key) as output:
        (output.folder / "metrics.json").write_text(json.dumps({"images": 20, **metrics}))
        return store.publish(
            output, parts, created="2025-01-01T00:00:00+00:00", seconds=1.0, cpu_seconds=1.0
        )


def publish_old_run(store: Store, name: str, factor: float) -> None:
    """Write the folder of a finished run: its record names no flow, its settings no kind of noise.

    What comes before the noise is shared by all runs.
    """
    steps = []
    for step, stage in OLD_STAGES.items():
        shared = stage in ("ingest", "prepare")
        made = publish_old_artifact(store, stage, step, 0 if shared else factor)
        steps.append({"step": step, "stage": stage, "key": made.key, "state": "Completed",
                      "seconds": 0.5})  # fmt: skip
        if step == "evaluate":
            metrics = made["metrics.json"]
    record = {
        "name": name,
        "started": "2025-01-01T00:00:00+00:00",
        "data": {"train_data": "file:///data/train_data.csv"},
        "settings": {
            "seed": 0, "image": {"height": 12, "width": 12, "channels": 1},
            "noise": {"factor": factor},
            "training": {"epochs": 2, "batch_size": 128, "validation_fraction": 0.2,
                         "learning_rate": 0.001, "precision": "float32"},
            "denoiser": {"fresh_noise": False},
        },
        "steps": steps,
        "state": "finished",
        "message": "",
    }  # fmt: skip
    manifest = {
        "inputs": {"train_data": {"sha256": "3" * 64, "size": 1}},
        "steps": {one["step"]: {"stage": one["stage"], "key": one["key"]} for one in steps},
        "files": {"metrics.json": {"sha256": metrics.sha256, "size": metrics.size}},
    }
    folder = store.root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record, indent=1))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "metrics.json").symlink_to(Path("../..") / metrics.path.relative_to(store.root))
    (store.root / "latest").unlink(missing_ok=True)
    (store.root / "latest").symlink_to(Path("runs") / name)


@pytest.fixture
def old(tmp_path):
    """A store with two runs of then, which differ in the strength of the noise."""
    store = Store(tmp_path / "artifacts")
    for name, factor in zip(OLD_RUNS, (0.5, 0.3), strict=True):
        publish_old_run(store, name, factor)
    return store


def listed(capsys) -> list[dict]:
    """Return the rows that a command has printed."""
    return json.loads(capsys.readouterr().out)


def test_old_runs_are_listed_and_compared(old, capsys):
    """By their own settings and metrics; what they did not have is not shown."""
    cli.runs(artifacts=old.root, as_json=True)
    rows = listed(capsys)
    cli.compare(*OLD_RUNS, artifacts=old.root, as_json=True)
    differences = {row["what"]: row for row in listed(capsys)}

    assert [(row["run"], row["noise"], row["computed"]) for row in rows] == [
        (OLD_RUNS[0], 0.5, "9/9"), (OLD_RUNS[1], 0.3, "9/9"),
    ]  # fmt: skip
    assert rows[0]["denoiser MSE"] == pytest.approx(0.05)
    assert differences["noise.factor"] == {
        "what": "noise.factor", "A": 0.5, "B": 0.3, "change": None,
    }  # fmt: skip
    assert differences["noisy mse"]["change"] == pytest.approx(-0.02)
    assert "noisy mae" not in differences


def test_an_old_run_explains_itself(old, capsys):
    """By the settings that differ from the run before it."""
    cli.explain("add noise train", artifacts=old.root, as_json=True)
    [explained] = listed(capsys)

    assert explained["differences"] == [
        {"kind": "setting", "name": "noise.factor", "old": "0.5", "new": "0.3"}
    ]


def test_old_artifacts_are_verified(old, capsys):
    """Intact ones are believed, although the digest of their manifests was another."""
    cli.verify(artifacts=old.root, as_json=True)

    assert listed(capsys) == []
    assert len(list(old.artifacts())) == 3 + 2 * 6


def test_garbage_collection_keeps_the_last_old_run(old, capsys):
    """With everything that it used."""
    cli.gc(keep_last=1, artifacts=old.root, as_json=True)
    freed = listed(capsys)

    assert sorted(one["kind"] for one in freed) == [
        "add_noise", "add_noise", "evaluate", "render", "run", "train", "train",
    ]  # fmt: skip
    assert [record.name for record in finished_runs(old)] == [OLD_RUNS[1]]
    for step in finished_runs(old)[0].steps:
        old.find(step.stage, step.key)


@pytest.mark.slow
def test_the_next_run_computes_everything_once_and_replaces_the_old(
    old, tmp_path, run_flow, capsys
):
    """It stands beside the old runs until garbage collection removes these and all they used."""
    data = write_dataset(tmp_path / "data", side=12)
    result = run_flow("full", "--data", data, "--artifacts", old.root, *SMALL)
    assert result.returncode == 0, result.stderr
    cli.runs(artifacts=old.root, as_json=True)
    rows = listed(capsys)
    cli.compare(OLD_RUNS[0], "latest", artifacts=old.root, as_json=True)
    compared = {row["what"] for row in listed(capsys)}
    expected = contents(old.root / "latest")
    cli.gc(keep_last=1, artifacts=old.root, as_json=True)

    assert states(result.stdout + result.stderr) == dict.fromkeys(STEPS, "Completed")
    assert [row["computed"] for row in rows] == ["9/9", "9/9", f"{len(STEPS)}/{len(STEPS)}"]
    assert "noise.kind" in compared
    [record] = finished_runs(old)
    assert record.flow == "full"
    assert set(old.artifacts()) == {(step.stage, step.key) for step in record.steps}
    assert contents(old.root / "latest") == expected
