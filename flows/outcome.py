"""What the terminal says when a run has ended: its results, against what, and where they are."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.catalogue import METHODS, METRICS
from flows.differences import changed_settings, in_words
from flows.finished import FinishedRun
from flows.records import MAIN_JOB, metrics_of
from tasks.engine.journal import RunRecord
from tasks.engine.published import LATEST, find_run, previous_run
from tasks.engine.store import Store

HEADLINE = "psnr"
"""The metric in which methods and runs are compared."""


def print_outcome(run: FinishedRun, store: Store) -> None:
    """Print the results of a finished run as a table, and where its files are."""
    record = find_run(store, run.name)
    before = previous_run(store, record, MAIN_JOB)
    earlier = {} if before is None else metrics_of(store, before)
    console = Console(highlight=False, markup=False)
    console.print()
    console.print(results_table(run.metrics, earlier))
    if before is not None:
        console.print(Text(_since(before, record), "dim"), soft_wrap=True)
    console.print()
    for line in (f"Everything of run {run.name}:", str(run.folder), "The report:",
                 str(store.root / LATEST / "report.html")):  # fmt: skip
        console.print(line, soft_wrap=True)


def results_table(metrics: Mapping[str, Any], earlier: Mapping[str, Any]) -> Table:
    """Return the metrics of all methods, against the noisy images and an earlier run.

    Args:
        metrics: By method and metric.
        earlier: The same of an earlier run; empty if there is none.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method")
    for metric in METRICS:
        table.add_column(metric.title, justify="right")
    table.add_column("over noisy", justify="right")
    if earlier:
        table.add_column("last run", justify="right")
    for method in METHODS:
        if method.name not in metrics:  # it does not suit these images
            continue
        scores = metrics[method.name]
        cells = [
            "-" if scores[one.name] is None else f"{scores[one.name]:.{one.digits}f}"
            for one in METRICS
        ]
        over = scores["against"].get("noisy", {}).get(HEADLINE)  # on the same images
        cells.append("" if over is None else f"{over:+.2f} dB")
        if earlier:
            cells.append(_gain(scores, earlier.get(method.name, {})))
        style = "bold" if method.trained else ""
        table.add_row(method.name, *cells, style=style)
    return table


def _gain(scores: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Return by how much the headline metric is higher, in dB; nothing if that is not known."""
    ours, theirs = scores.get(HEADLINE), others.get(HEADLINE)
    if ours is None or theirs is None:
        return ""
    return "same" if ours == theirs else f"{ours - theirs:+.2f} dB"


def _since(before: RunRecord, record: RunRecord) -> str:
    changes = changed_settings(before.settings, record.settings)
    what = in_words(changes) if changes else "the same settings"
    return f"Last run of these data: {before.name} ({what})."
