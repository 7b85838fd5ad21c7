"""The last step of the main job: the page of the run, from all that was made."""

from collections.abc import Mapping

from autoencoders.settings import ResolvedSettings
from flows.catalogue import METHODS
from flows.evaluation import Files
from flows.report_facts import report_facts
from flows.results import Results
from tasks.engine.handles import ArtifactRef
from tasks.engine.runner import is_pending
from tasks.engine.tracing import Tracing
from tasks.report import report

TABLES = ("per_image.parquet", "extremes.csv", "per_class.csv", "robustness.csv")
"""Files that the page shows, as far as a run makes them."""


def write_report(
    trace: Tracing, files: Files, data: Mapping[str, ArtifactRef], settings: ResolvedSettings
) -> None:
    """Write the page of a run.

    Args:
        trace: Does the step, and knows what each one before has read.
        files: What was made so far, and what this adds to it.
        data: The user's files by role.
        settings: What was computed.
    """
    # Of a pipeline that is planned: facts cannot be read yet, and wait for these files too
    awaited = {name: ref for name, ref in files.items()
               if not name.startswith("figures/") and is_pending([ref])}  # fmt: skip
    made = trace(
        "report", report, metrics=files["metrics.json"],
        tables={name.partition(".")[0]: files[name] for name in TABLES if name in files},
        histories={one.name: files[f"history/{one.name}.csv"] for one in METHODS if one.trained},
        gallery={one.name: files[f"gallery/{one.name}"] for one in METHODS if one.reads == "noisy"},
        extremes=files["extremes/denoiser"],
        images={kind: files[f"images/test/{kind}"] for kind in ("clean", "noisy")},
        labels={"numbers": files["labels/test"], "classes": files["labels/test/classes"]},
        facts=awaited or report_facts(Results(data, files, settings), trace),
    )  # fmt: skip
    files["report.html"] = made["report.html"]
