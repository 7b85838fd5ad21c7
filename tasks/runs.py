"""The folder of a run: links to what its stages published, and what people read first."""

import datetime
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoencoders.settings import Settings
from tasks.stage import Step
from tasks.store import ArtifactRef, Store, explained, sync, to_json

LATEST = "latest"


@dataclass(frozen=True)
class RunRecord:
    """What a finished run has to say."""

    name: str
    settings: Settings
    data: Mapping[str, ArtifactRef]
    """The user's files, by role."""
    steps: list[Step]
    files: Mapping[str, ArtifactRef]
    """By its place in the run's folder, the file of an artifact that is linked there."""
    metrics: ArtifactRef
    started: str
    """ISO 8601, UTC."""


def run_name(started: datetime.datetime, prefect_name: str) -> str:
    """Return a folder name that sorts by time and is found again on Prefect's pages.

    Whatever a user called the flow run, the name holds only letters, digits and dashes.
    """
    safe = re.sub(r"[^A-Za-z0-9]+", "-", prefect_name).strip("-")[:60]
    return f"{started:%Y%m%d-%H%M%S}-{safe or 'run'}"


def publish_run(store: Store, record: RunRecord) -> Path:
    """Write the run's folder, all at once, and point `latest` at it.

    `manifest.json`, `settings.json` and `summary.md` say what was computed and are the same bytes
    whenever the run is repeated; `run.json` says when, and what was cached.
    """
    with explained(store.root):
        runs = store.root / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        (store.root / "tmp").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=store.root / "tmp") as draft:
            folder = Path(draft) / record.name
            folder.mkdir()
            texts = {
                "settings.json": to_json(record.settings.model_dump(mode="json")),
                "manifest.json": to_json(_manifest(record)),
                "run.json": to_json(_course(record)),
                "summary.md": summary(record).encode(),
            }
            for name, content in texts.items():
                (folder / name).write_bytes(content)
                sync(folder / name)
            for name, ref in record.files.items():
                _link(folder / name, ref, runs / record.name / name)
            sync(folder)
            final = runs / record.name
            folder.rename(final)
            sync(runs)
            pointer = Path(draft) / LATEST
            pointer.symlink_to(final.relative_to(store.root))
            pointer.replace(store.root / LATEST)
            sync(store.root)
    return final


def _link(draft: Path, ref: ArtifactRef, final: Path) -> None:
    """Link `draft` to a file of the store, relative to where the link will stand."""
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.symlink_to(os.path.relpath(ref.path, final.parent))


def read_metrics(ref: ArtifactRef) -> dict[str, Any]:
    """Read the metrics that `evaluate` wrote.

    Raises:
        StoreError: If the file was changed.
    """
    metrics: dict[str, Any] = json.loads(ref.checked().read_bytes())
    return metrics


def metrics_table(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the metrics as rows of text: one a system."""
    rows = []
    for system, told in SYSTEMS.items():
        figures = metrics[system]
        ssim = figures["ssim"]
        rows.append(
            {
                "system": system,
                "what": told,
                "MSE": f"{figures['mse']:.5f}",
                "PSNR (dB)": f"{figures['psnr']:.2f}",
                "SSIM": "-" if ssim is None else f"{ssim:.4f}",
            }
        )
    return rows


SYSTEMS = {
    "noisy": "the noisy test images as they are",
    "autoencoder": "clean in, compared with clean",
    "denoiser": "noisy in, compared with clean",
}


def summary(record: RunRecord) -> str:
    """Return the run in Markdown: metrics, what was run, where the figures are."""
    metrics = read_metrics(record.metrics)
    settings = record.settings
    rows = metrics_table(metrics)
    head = list(rows[0])
    lines = [
        "# Autoencoder and denoiser: results on the test images",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "|".join([" --- "] * 2 + [" ---: "] * (len(head) - 2)) + "|",
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
        f"{metrics['images']:,} test images of {settings.image.height} x {settings.image.width} x "
        f"{settings.image.channels}, noise factor {settings.noise.factor:g}, "
        f"{settings.training.epochs} epochs, batch {settings.training.batch_size}, "
        f"seed {settings.seed}.",
        "",
        "PSNR is that of the mean MSE. `metrics.json` also has the mean of the images' own PSNR; "
        "`per_image.parquet` has every image, `per_class.csv` every class.",
        "",
        "Figures: " + ", ".join(
            f"[{Path(name).stem}]({name})" for name in sorted(record.files) if name.endswith(".png")
        ) + ".",
        "",
        "Inputs, by content:",
        "",
        *(f"- {role}: sha256 `{ref.sha256[:16]}…`, {ref.size:,} bytes"
          for role, ref in sorted(record.data.items())),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _manifest(record: RunRecord) -> dict[str, Any]:
    return {
        "inputs": _contents(record.data),
        "steps": {
            step.label: {"stage": step.artifact.stage, "key": step.artifact.key}
            for step in record.steps
        },
        "files": _contents(record.files),
    }


def _contents(refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    return {name: {"sha256": ref.sha256, "size": ref.size} for name, ref in refs.items()}


def _course(record: RunRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "started": record.started,
        "steps": [
            {"step": step.label, "state": step.state, "seconds": step.seconds}
            for step in record.steps
        ],
        "data": {role: ref.uri for role, ref in record.data.items()},
    }
