"""A stage whose artifact has everything that a manifest can state; see `test_format`."""

from collections.abc import Mapping

from pydantic import BaseModel

from tasks.engine.handles import ArtifactRef, FunctionRef, Output, stage

GREETING = "good day"


class Shape(BaseModel):
    """Some nested settings."""

    width: int = 3
    height: int = 2
    unit: str | None = None


def shouted(text: str) -> str:
    """Return a text in capitals."""
    return text.upper()


@stage
def golden(
    output: Output,
    text: ArtifactRef,
    more: Mapping[str, ArtifactRef],
    shape: Shape,
    change: FunctionRef,
    options: Mapping[str, object],
) -> None:
    """Write two files."""
    words = [GREETING, text.path.read_text(), *(ref.path.read_text() for ref in more.values())]
    (output.folder / "words.txt").write_text(change.load()(" ".join(words)))
    (output.folder / "shape.json").write_text(shape.model_dump_json())
