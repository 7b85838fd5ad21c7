"""What a run shows on Prefect's pages."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from .handles import ArtifactRef
from .progress import tolerating_server_errors


@dataclass(frozen=True)
class Page:
    """One artifact on Prefect's pages: Markdown, a table, or the address of a file of the run."""

    key: str
    """Lower-case letters, digits and dashes."""
    description: str
    content: str | Sequence[dict[str, str]] | PurePosixPath
    """Markdown, rows of a table, or a file by its place in the run's folder."""


def show(pages: Iterable[Page], folder: Path | None) -> None:
    """Put pages, and a link to the run's folder, on Prefect's pages of the flow run under way.

    Without a folder there are no links. A server that does not answer costs no more than a warning.
    """
    with tolerating_server_errors("results"):
        for page in pages:
            if isinstance(page.content, PurePosixPath):
                if folder is not None:
                    _link(folder / page.content, page.key, page.description)
            elif isinstance(page.content, str):
                create_markdown_artifact(page.content, key=page.key, description=page.description)
            else:
                create_table_artifact(
                    list(page.content), key=page.key, description=page.description
                )
        if folder is not None:
            text = "The run's files; copy the path, browsers open no folders from a page"
            _link(folder, "run-folder", text)


def _link(path: Path, key: str, description: str) -> None:
    create_link_artifact(path.as_uri(), key=key, link_text=str(path), description=description)


def embedded(figures: Iterable[ArtifactRef]) -> str:
    """Return PNG files as Markdown that needs no files beside it."""
    return "".join(
        f"\n![{ref.path.stem.replace('_', ' ')}](data:image/png;base64,"
        f"{base64.b64encode(ref.path.read_bytes()).decode()})\n"
        for ref in figures
    )
