"""Report: the page of a run, one file that can be sent on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.gallery import as_shown, gallery_rows
from autoencoders.images.mosaic import mosaic
from autoencoders.report.values import number
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.data_uri import png_uri
from tasks.formats.tables import read_table


@stage
def report(
    output: Output,
    metrics: ArtifactRef,
    tables: Mapping[str, ArtifactRef],
    histories: Mapping[str, ArtifactRef],
    gallery: Mapping[str, ArtifactRef],
    extremes: ArtifactRef,
    images: Mapping[str, ArtifactRef],
    labels: Mapping[str, ArtifactRef],
    facts: Mapping[str, Any],
) -> None:
    """Write `report.html`.

    Args:
        output: Where it goes.
        metrics: `metrics.json`.
        tables: `per_image`, `extremes`, and where there are such, `per_class` and `robustness`.
        histories: By network, its losses.
        gallery: By method that gets noisy images, `gallery.npy`.
        extremes: `extremes.npy` of the denoiser.
        images: Test images, `clean` and `noisy`, float32 (n, h, w, c).
        labels: `numbers`, those of the test images, and `classes`, their names.
        facts: What a run knows of itself.
    """
    import pandas as pd

    from autoencoders.report.run_page import best_other, run_page

    loaded = {
        name: read_table(ref.path)
        if ref.path.suffix == ".parquet"
        else pd.read_csv(ref.path, keep_default_na=False, dtype={"label": str})
        for name, ref in tables.items()
    }
    scores = json.loads(metrics.path.read_bytes())
    best = best_other(scores, [one for one in facts["methods"] if one["name"] in scores])
    clean, noisy = (np.load(images[name].path, mmap_mode="r") for name in ("clean", "noisy"))
    names = _names(labels)
    shown = _gallery({name: np.load(ref.path) for name, ref in gallery.items()}, clean, names,
                     facts, best)  # fmt: skip
    table = loaded["extremes"][loaded["extremes"]["method"] == "denoiser"]
    shown["extremes"] = _extremes(table, np.load(extremes.path), noisy, names)
    losses = {name: pd.read_csv(ref.path) for name, ref in histories.items()}
    html = run_page(facts, scores, loaded, losses, shown)
    (output.folder / "report.html").write_text(html, encoding="utf-8")


def _names(labels: Mapping[str, ArtifactRef]) -> list[str]:
    """Return what the label of each test image is called; nothing if they have none."""
    numbers = np.load(labels["numbers"].path).tolist()
    classes: Sequence[str] | None = json.loads(labels["classes"].path.read_bytes())
    return [str(one) if classes is None else classes[one] for one in numbers]


def _gallery(
    restored: Mapping[str, NDArray[np.uint8]],
    clean: NDArray[np.float32],
    names: Sequence[str],
    facts: Mapping[str, Any],
    best: str | None,
) -> dict[str, Any]:
    """Return images at each level of noise, as a page shows them."""
    rows = gallery_rows(clean.shape, len(facts["levels"]))
    real = as_shown(clean[rows])
    methods = {"noisy": "noisy", "denoiser": "denoised", **({} if best is None else {best: best})}
    levels = []
    for index, level in enumerate(facts["levels"]):
        strips = [_strip("real", real, "")]
        for method, called in methods.items():
            strips.append(_strip(called, restored[method][index], f", noise {level}"))
        levels.append({"level": level, "rows": strips})
    numbers = ", ".join(f"{row + 1:,}" for row in rows)
    return {
        "levels": levels,
        "labels": [names[row] for row in rows] if names else [],
        "shown": facts["shown"],
        "caption": f"Test images number {numbers}, drawn by chance.",
    }


def _strip(called: str, images: NDArray[np.uint8], noise: str) -> dict[str, str]:
    return {"name": called, "note": "", "image": png_uri(mosaic(images, len(images))),
            "alt": f"{len(images)} test images in a row: {called}{noise}"}  # fmt: skip


def _extremes(
    table: Any, pairs: NDArray[np.float32], noisy: NDArray[np.float32], names: Sequence[str]
) -> list[dict[str, str]]:
    """Return the best, the median and the worst image: real, noisy, denoised."""
    shown = []
    for place, (rank, image, psnr) in enumerate(
        zip(table["rank"], table["image"], table["psnr"], strict=True)
    ):
        clean, restored = pairs[2 * place], pairs[2 * place + 1]
        pictures = as_shown(np.stack([clean, noisy[int(image)], restored]))
        label = f", label {names[int(image)]}" if names else ""
        decibels = number(float(psnr), 1) if psnr != "" else "-"
        shown.append({
            "name": str(rank).capitalize(),
            "image": png_uri(mosaic(pictures, len(pictures))),
            "alt": f"The {rank} test image: real, noisy, denoised",
            "note": f"number {int(image) + 1:,}{label}, {decibels} dB denoised",
        })  # fmt: skip
    return shown
