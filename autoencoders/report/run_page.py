"""What the page of one run shows, from its results as plain values and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from autoencoders.report.charts import Line, line_chart
from autoencoders.report.lineage import lineage_drawing
from autoencoders.report.page import render_page
from autoencoders.report.values import Row, number, score_cell, signed

Metrics = Mapping[str, Any]
INPUT, DENOISER = "noisy", "denoiser"
PSNR = "psnr"
MOST_LINES = 8
"""Methods in a chart; of others there are numbers in the table."""
CURVE_POINTS = 101
OVER_NOISY, AS_PAPERS = "over noisy (dB)", "as in papers (dB)"
"""Columns of the results beside those of the metrics."""


def run_page(
    facts: Mapping[str, Any],
    metrics: Metrics,
    tables: Mapping[str, pd.DataFrame],
    histories: Mapping[str, pd.DataFrame],
    gallery: Mapping[str, Any],
) -> str:
    """Write the page of one run.

    Args:
        facts: What a run knows of itself; `flows/report_facts.py` lists it.
        metrics: The content of `metrics.json`.
        tables: `per_image`, and `per_class` and `robustness` where there are such.
        histories: By network, the columns epoch, loss and val_loss.
        gallery: `levels`, `labels`, `shown` and `extremes`, with images as addresses.

    Returns:
        HTML.
    """
    methods = [one for one in facts["methods"] if one["name"] in metrics]
    best = best_other(metrics, methods)
    page = {
        **{name: facts[name] for name in ("kind", "what", "doubts", "remarks", "recognised",
                                          "changed", "settings", "command", "command_note",
                                          "work", "environment", "digests")},
        "headline": headline(metrics, best),
        "tiles": _tiles(metrics, best),
        "images": f"{metrics['images']:,}",
        "results": _results(metrics, methods, facts["metrics"]),
        "result_numbers": [*(one["title"] for one in facts["metrics"]), OVER_NOISY, AS_PAPERS],
        "ours": [one["name"] for one in methods if one["trained"]],
        "convention": facts["convention"],
        "gallery": gallery,
        "extremes": gallery["extremes"],
        "extremes_caption": "By the PSNR of the denoised image; from left to right: real, noisy, "
        "denoised.",
        "charts": [*_loss_charts(histories, facts["epochs"]),
                   *_robustness_chart(tables.get("robustness"), metrics, facts["factor"]),
                   *_distribution_chart(tables["per_image"], metrics, methods)],
        "classes": _classes(tables.get("per_class"), methods),
        "class_numbers": ["images", *(one["name"] for one in methods)],
        "lineage_drawing": lineage_drawing(facts["reads"], facts["files"]),
        "lineage": [{"step": step, "reads": ", ".join(sources)}
                    for step, sources in facts["reads"].items()],
    }  # fmt: skip
    return render_page("report", page)


def best_other(metrics: Metrics, methods: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the best of the methods that get noisy images and are no network, if there is one.

    It is the one that the denoiser exceeds by least, on the images that both have scored.
    """
    others = [
        one["name"] for one in methods
        if one["reads"] == INPUT and not one["trained"] and one["name"] != INPUT
        and _against(metrics, DENOISER, one["name"]).get(PSNR) is not None
    ]  # fmt: skip
    return min(others, key=lambda name: float(_against(metrics, DENOISER, name)[PSNR]),
               default=None)  # fmt: skip


def headline(metrics: Metrics, best: str | None) -> str:
    """Say in a sentence how good the denoiser is, against what."""
    ours, given = metrics[DENOISER][PSNR], metrics[INPUT][PSNR]
    if ours is None or given is None:
        return "Denoising: no mean score, since some are not numbers"
    verb = "raises PSNR from" if ours >= given else "lowers PSNR from"
    text = f"Denoising {verb} {given:.2f} to {ours:.2f} dB"
    if best is None:
        return text
    paired = _against(metrics, DENOISER, best)
    gain, ends = paired[PSNR], paired["psnr_interval"]
    if not ends or ends[0] <= 0 <= ends[1]:
        return f"{text}, not told apart from the best classical method, {best}"
    side = "more" if gain >= 0 else "less"
    return f"{text}, {abs(gain):.2f} dB {side} than the best classical method, {best}"


def _against(metrics: Metrics, name: str, other: str) -> Mapping[str, Any]:
    """Return by how much a method exceeds another on the same images; nothing if not compared."""
    found: Mapping[str, Any] = metrics[name]["against"].get(other, {})
    return found


def _tiles(metrics: Metrics, best: str | None) -> list[Row]:
    ours, given = metrics[DENOISER], metrics[INPUT]
    tiles = [
        {"name": "denoised images", "value": f"{number(ours[PSNR], 2)} dB",
         "note": f"PSNR; SSIM {number(ours['ssim'], 3)}"},
        {"name": "over the noisy images",
         "value": f"{signed(_against(metrics, DENOISER, INPUT).get(PSNR))} dB",
         "note": f"these have {number(given[PSNR], 2)} dB"},
        {"name": "reconstructed clean images",
         "value": f"{number(metrics['autoencoder'][PSNR], 2)} dB",
         "note": f"PSNR; SSIM {number(metrics['autoencoder']['ssim'], 3)}"},
    ]  # fmt: skip
    if best is not None:
        paired = _against(metrics, DENOISER, best)
        ends = paired["psnr_interval"]
        interval = f" ({signed(ends[0])} to {signed(ends[1])})" if ends else ""
        tiles.insert(2, {"name": "over the best classical method",
                         "value": f"{signed(paired[PSNR])} dB",
                         "note": f"{best}, same {paired['images']:,} images{interval}",
                         })  # fmt: skip
    return tiles


def _results(
    metrics: Metrics, methods: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]]
) -> list[Row]:
    rows, known = [], any("as_papers" in metrics[one["name"]] for one in methods)
    for one in methods:
        scores = metrics[one["name"]]
        over = _against(metrics, one["name"], INPUT).get(PSNR)
        papers = scores.get("as_papers", {}) if one["reads"] == INPUT else {}
        rows.append({
            "method": one["name"], "what it does": one["description"],
            **{two["title"]: score_cell(scores, two["name"], two["digits"],
                                        interval=two["interval"]) for two in columns},
            OVER_NOISY: _cell(over, signed(over)),
            **({AS_PAPERS: _cell(papers.get(PSNR), number(papers.get(PSNR), 2))} if known else {}),
        })  # fmt: skip
    return rows


def _cell(value: float | None, shown: str) -> Row:
    """Return a number for a table; nothing where it does not apply."""
    known = value is not None
    return {"value": value if known else "", "shown": shown if known else "", "note": ""}


def _loss_charts(histories: Mapping[str, pd.DataFrame], epochs: Sequence[str]) -> list[Row]:
    kept = dict(text.split(": ", 1) for text in epochs)
    charts = []
    for name, history in histories.items():
        epoch = history["epoch"].tolist()
        lines = [Line("train", epoch, history["loss"].tolist()),
                 Line("validation", epoch, history["val_loss"].tolist())]  # fmt: skip
        best = int(history["epoch"].iloc[int(history["val_loss"].argmin())])
        drawing = line_chart(
            lines, title=f"Loss of the {name} by epoch", x="epoch", y="mean squared error",
            logarithmic=True, marked=best,
        )  # fmt: skip
        charts.append({"title": f"Training of the {name}", "drawing": drawing,
                       "caption": f"{kept[name][:1].upper()}{kept[name][1:]}."})  # fmt: skip
    return charts


def _robustness_chart(
    table: pd.DataFrame | None, metrics: Metrics, factor: float | None
) -> list[Row]:
    """Return a chart per kind of noise of the best methods over the strength of the noise."""
    if table is None or table.empty:
        return []
    ranked = sorted(
        (name for name in dict.fromkeys(table["method"]) if name in metrics),
        key=lambda name: -(metrics[name][PSNR] or 0.0),
    )
    shown = list(dict.fromkeys([DENOISER, INPUT, *ranked]))[:MOST_LINES]
    charts = []
    for kind, rows in table.groupby("noise", sort=False):
        numbers = {
            name: rows[rows["method"] == name].drop(columns=["method", "noise"]).apply(
                pd.to_numeric, errors="coerce")
            for name in shown
        }  # fmt: skip
        lines = [_with_interval(name, one) for name, one in numbers.items()]
        charts.append({
            "title": f"Robustness: {kind} noise",
            "drawing": line_chart(
                lines, title=f"PSNR over the noise factor, {kind} noise", x="noise factor",
                y="PSNR (dB)", marked=factor,
            ),
            "caption": f"{int(rows['images'].max()):,} test images at each level; bands are 95 % "
            "intervals, the dashed line is where methods were trained or fitted.",
        })  # fmt: skip
    return charts


def _with_interval(name: str, table: pd.DataFrame) -> Line:
    """Return a line over the noise factor, with its intervals if there are any."""
    ends = [table[column] for column in ("psnr_low", "psnr_high")]
    known = all(one.notna().all() for one in ends)
    return Line(name, table["factor"].tolist(), table[PSNR].tolist(),
                *(one.tolist() for one in ends if known))  # fmt: skip


def _distribution_chart(
    per_image: pd.DataFrame, metrics: Metrics, methods: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """Return a chart of the share of images that reach no more than each PSNR."""
    best = best_other(metrics, methods)
    wanted = [INPUT, *([] if best is None else [best]),
              *(one["name"] for one in methods if one["trained"])]  # fmt: skip
    shares = np.linspace(0, 1, CURVE_POINTS)
    lines = []
    for name in wanted:
        values = per_image[f"{name}_{PSNR}"].dropna().to_numpy()
        if len(values):
            lines.append(Line(name, np.quantile(values, shares).tolist(), (100 * shares).tolist()))
    drawing = line_chart(
        lines,
        title="How many test images reach which PSNR",
        x="PSNR of an image (dB)",
        y="% of the images with at most this",
    )
    return [{"title": "Single images", "drawing": drawing,
             "caption": "The further right a line, the better the method."}]  # fmt: skip


def _classes(table: pd.DataFrame | None, methods: Sequence[Mapping[str, Any]]) -> list[Row]:
    if table is None:
        return []
    rows = []
    for values in table.to_dict("records"):
        scores = {
            one["name"]: score_cell({PSNR: _known(values.get(f"{one['name']}_{PSNR}"))}, PSNR, 2)
            for one in methods
        }
        rows.append(
            {"class": str(values["label"]), "images": f"{int(values['images']):,}", **scores}
        )
    return rows


def _known(value: Any) -> float | None:
    return None if value is None or value == "" or np.isnan(float(value)) else float(value)
