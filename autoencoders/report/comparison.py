"""What the page of a comparison of runs shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from autoencoders.report.charts import Line, line_chart
from autoencoders.report.page import render_page
from autoencoders.report.values import Row

CONVENTION = (
    "Intervals are 95 %, over test images and image by image: how far the difference may be on "
    "other images of this kind. What chance in training does comes on top, so runs that differ in "
    "their seed alone are one method, and none is called better."
)


def comparison_page(
    facts: Mapping[str, Any],
    histories: Mapping[str, Mapping[str, pd.DataFrame]],
    curves: Mapping[str, pd.DataFrame],
    strips: Sequence[Row],
    numbers: Sequence[str],
) -> str:
    """Write the page that compares runs.

    Args:
        facts: `headline`, `runs`, `doubts`, `verdicts`, `changed`, `metrics` that differ,
            `same_metrics`, `metric_numbers`.
        histories: By network and run, the columns epoch and val_loss.
        curves: By run, PSNR against the strength of noise: method, noise, factor, psnr.
        strips: Rows of the same images, as addresses.
        numbers: Which test images they are.

    Returns:
        HTML.
    """
    charts = [_losses(network, by_run) for network, by_run in histories.items()]
    if len(curves) > 1:
        charts += _robustness(curves)
    return render_page(
        "comparison",
        {**facts, "convention": CONVENTION, "strips": strips, "numbers": numbers, "charts": charts},
    )


def _losses(network: str, by_run: Mapping[str, pd.DataFrame]) -> Row:
    lines = [
        Line(run, history["epoch"].tolist(), history["val_loss"].tolist())
        for run, history in by_run.items()
    ]
    drawing = line_chart(lines, title=f"Validation loss of the {network} by epoch", x="epoch",
                         y="mean squared error", logarithmic=True)  # fmt: skip
    return {"title": f"Training of the {network}", "drawing": drawing,
            "caption": "Loss on images held out from training."}  # fmt: skip


def _robustness(curves: Mapping[str, pd.DataFrame]) -> list[Row]:
    """Return a chart of the denoisers per kind of noise that all runs have."""
    kinds = set.intersection(*(set(table["noise"]) for table in curves.values()))
    charts = []
    for kind in sorted(kinds):
        lines = []
        for run, table in curves.items():
            rows = table[(table["noise"] == kind) & (table["method"] == "denoiser")]
            numbers = rows[["factor", "psnr"]].apply(pd.to_numeric, errors="coerce")
            lines.append(Line(run, numbers["factor"].tolist(), numbers["psnr"].tolist()))
        drawing = line_chart(lines, title=f"PSNR over the noise factor, {kind} noise",
                             x="noise factor", y="PSNR (dB)")  # fmt: skip
        charts.append({"title": f"Robustness: {kind} noise", "drawing": drawing,
                       "caption": "The denoisers of all runs."})  # fmt: skip
    return charts
