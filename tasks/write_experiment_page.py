"""Write the page of an experiment, one file that can be sent on."""

from collections.abc import Mapping
from typing import Any

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.data_uri import png_file_uri


@stage
def write_experiment_page(output: Output, figure: ArtifactRef, facts: Mapping[str, Any]) -> None:
    """Write `experiment.html`.

    Args:
        output: Where it goes.
        figure: The figure of all points, PNG.
        facts: What the page says in words and tables; see `experiment_page`.
    """
    from autoencoders.report.experiment_page import experiment_page

    html = experiment_page(facts, png_file_uri(figure.path.read_bytes()))
    (output.folder / "experiment.html").write_text(html, encoding="utf-8")
