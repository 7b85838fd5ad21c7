"""The records that the store keeps of an artifact: why it was made, and which files it has."""

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from .files import json_digest
from .handles import ArtifactRef

FORMAT = 2
"""Part of every key. Raise it when the files that the engine itself writes into an artifact change
their form, so that no artifact of the old form is taken for one of the new."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
KEY = re.compile(r"[0-9a-f]{32}")
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Record(BaseModel):
    """A value that is stored as JSON and believed only if it is exactly of its form."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Artifact(Record):
    """What a stage published: its files by name."""

    stage: str
    key: str
    files: dict[str, ArtifactRef]

    def __getitem__(self, name: str) -> ArtifactRef:
        """Return the file called `name`."""
        return self.files[name]


class KeyParts(Record):
    """Everything that decides the bytes a stage writes; its digest is the stage's key."""

    engine: int | None = None
    """`FORMAT` of the engine that wrote it; None before there was such a number."""
    stage: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    settings: dict[str, Any]
    """The settings the stage receives, as JSON values."""
    inputs: dict[str, Digest]
    """The sha256 of every file it reads."""
    code: dict[str, str]
    """Every definition that it can reach, by `module:name`: its digest or its text."""
    libraries: dict[str, str]
    """The versions of the libraries it can reach, also through others."""
    environment: dict[str, str] | None = None
    """The environment variables that may change its bytes, where they are set; None before they
    were recorded."""

    @property
    def key(self) -> str:
        """32 hexadecimal digits."""
        return _digest(self.to_json(), self)[:32]

    def to_json(self) -> dict[str, Any]:
        """Return the parts as the JSON value that their digest is of."""
        unknown = {"engine", "environment"} if self.engine is None else None
        return self.model_dump(mode="json", exclude=unknown)


class FileEntry(Record):
    """A file of an artifact, as its manifest states it."""

    sha256: Digest
    size: Annotated[int, Field(ge=0)]


class Manifest(Record):
    """What an artifact is made of and why it was made."""

    parts: KeyParts
    files: dict[FileName, FileEntry]
    created: str
    """When it was published: ISO 8601, UTC."""
    seconds: float
    """How long the computation took, since it was last resumed."""
    cpu_seconds: float | None = None
    """What the work has cost, from its beginning; None before it was recorded, in format 2."""
    digest: Digest
    """sha256 of all the above: a manifest edited by hand is not believed."""

    @classmethod
    def sealed(cls, **fields: Any) -> Self:
        """Build a manifest with its digest."""
        draft = cls(**fields, digest="0" * 64)
        return draft.model_copy(update={"digest": draft.expected_digest()})

    def expected_digest(self) -> str:
        """Return what `digest` must be."""
        unknown = {"cpu_seconds"} if (self.parts.engine or 0) < 2 else set()
        fields = self.model_dump(mode="json", exclude={"digest", "parts", *unknown})
        return _digest({"parts": self.parts.to_json(), **fields}, self.parts)


def _digest(value: dict[str, Any], parts: KeyParts) -> str:
    """Return a digest in which order counts: of files it is the order in which they are read, of
    code that in which it runs. Before there was a format number, it did not count."""
    return json_digest(value, sort_keys=parts.engine is None)
