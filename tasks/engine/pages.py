"""What a run shows on Prefect's pages."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from .handles import ArtifactRef
from .progress import tolerating_server_errors


@dataclass(frozen=True)
class Page:
    """One artifact on Prefect's pages: Markdown, or a table."""

    key: str
    """Lower-case letters, digits and dashes."""
    description: str
    content: str | Sequence[dict[str, str]]
    """Markdown, or rows of a table."""


def show(pages: Iterable[Page], folder: Path | None) -> None:
    """Put pages, and a link to the run's folder, on Prefect's pages of the flow run under way.

    Without a folder there is no link. A server that does not answer costs no more than a warning.
    """
    with tolerating_server_errors("results"):
        for page in pages:
            if isinstance(page.content, str):
                create_markdown_artifact(page.content, key=page.key, description=page.description)
            else:
                create_table_artifact(
                    list(page.content), key=page.key, description=page.description
                )
        if folder is not None:
            create_link_artifact(
                folder.as_uri(),
                key="run-folder",
                link_text=str(folder),
                description="The run's files; copy the path, browsers open no folders from a page",
            )


def embedded(figures: Iterable[ArtifactRef]) -> str:
    """Return PNG files as Markdown that needs no files beside it."""
    return "".join(
        f"\n![{ref.path.stem.replace('_', ' ')}](data:image/png;base64,"
        f"{base64.b64encode(ref.path.read_bytes()).decode()})\n"
        for ref in figures
    )
