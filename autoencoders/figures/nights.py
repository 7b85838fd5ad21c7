"""What became of the challengers, decision by decision, and how far the data have drifted."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LOOKS = {
    "promoted": ("#009E73", "o"),
    "refused": ("#D55E00", "X"),
    "stopped": ("#000000", "s"),
    "rolled back": ("#CC79A7", "<"),
}
"""Colour, of Okabe and Ito (2008), and marker by what was decided; the markers are for print in
greyscale."""
MEASURES = {"psi": ("PSI", "#0072B2", "-"), "ks": ("KS", "#E69F00", "--")}
MOST_DATES = 12
"""Dates that are written under the axis."""


def nights(table: pd.DataFrame) -> Figure:
    """Plot gains and drift against decisions.

    Args:
        table: One row per decision, oldest first: `date` and `event`, text; `gain`, `low`, `high`
            and `margin` in dB, `psi` and `ks`, the largest of all measures; each NaN where there
            is none.

    Returns:
        A figure of two panels above each other. In the upper one, a gain is drawn with its 95 %
        interval; what was decided without one is drawn at 0. A vertical line is where the champion
        changed.
    """
    figure = Figure(figsize=(8.0, 5.4), layout="constrained")
    gains, drifts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_gains(gains, table)
    _draw_drift(drifts, table)
    places = range(0, len(table), -(-len(table) // MOST_DATES))
    drifts.set_xticks(list(places), [table["date"].iloc[one] for one in places], rotation=30,
                      ha="right")  # fmt: skip
    for axes in (gains, drifts):
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def _draw_gains(axes: Axes, table: pd.DataFrame) -> None:
    for event, (colour, marker) in LOOKS.items():
        chosen = table[table["event"] == event]
        if chosen.empty:
            continue
        gain = chosen["gain"].fillna(0)
        ends = [gain - chosen["low"].fillna(gain), chosen["high"].fillna(gain) - gain]
        axes.errorbar(chosen.index, gain, yerr=[one.clip(lower=0) for one in ends], color=colour,
                      marker=marker, linestyle="none", capsize=3, label=event)  # fmt: skip
    for place in table.index[table["event"].isin(("promoted", "rolled back"))]:
        axes.axvline(place, color="0.8", linewidth=1, zorder=0)
    if table["margin"].notna().any():
        axes.step(table.index, table["margin"].ffill().bfill(), where="mid", color="0.4",
                  linestyle=":", label="margin")  # fmt: skip
    axes.set(title="Challengers against the champion", ylabel="gain in PSNR (dB)")


def _draw_drift(axes: Axes, table: pd.DataFrame) -> None:
    for name, (label, colour, style) in MEASURES.items():
        known = table[table[name].notna()]
        axes.plot(known.index, known[name], color=colour, linestyle=style, marker="o",
                  markersize=4, label=label)  # fmt: skip
    axes.set(ylabel="drift, largest measure", xlabel="decision")
    axes.set_ylim(bottom=0)
