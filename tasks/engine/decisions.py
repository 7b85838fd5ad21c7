"""The records of an alias: decisions about what it names, each one file that is believed or not."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from .errors import AliasDamagedError, NewerDecisionError
from .files import json_digest, read_file
from .journal import RUN_NAME, version_of
from .manifest import Digest, Record

ALIAS_VERSION = 1
"""Raise it when the form of a decision changes."""
NAMED_RUN = re.compile(rb'"run": ?"([0-9]{8}-[0-9]{6}-[A-Za-z0-9-]+)"')


class Target(Record):
    """What an alias names: a run, and which of its files, by content."""

    run: Annotated[str, Field(pattern=RUN_NAME)]
    files: dict[str, Digest]
    """sha256 by place in the folder of the run."""


class Decision(Record):
    """One decision about an alias, whether it moved it or not."""

    version: Annotated[int, Field(ge=1, le=ALIAS_VERSION)] = ALIAS_VERSION
    number: Annotated[int, Field(ge=1)]
    previous: str
    """sha256 of the file of the decision before it; empty for the first one."""
    at: str
    """ISO 8601, UTC."""
    by: str
    """The run that decided; empty if somebody did by hand."""
    event: str
    """What was decided, in a word."""
    over: int
    """Number of the decision that had set what the alias named then; 0 if it named nothing."""
    target: Target | None
    """What it names from now on; None leaves it as it is."""
    facts: dict[str, Any]
    """Why: JSON values."""
    digest: Digest
    """sha256 of all the above."""

    @classmethod
    def sealed(cls, **fields: Any) -> Self:
        """Build a decision with its digest."""
        draft = cls(**fields, digest="0" * 64)
        return draft.model_copy(update={"digest": draft.expected_digest()})

    def expected_digest(self) -> str:
        """Return what `digest` must be."""
        return json_digest(self.model_dump(mode="json", exclude={"digest"}), sort_keys=True)


def read_decision(path: Path) -> Decision:
    """Read one decision.

    Raises:
        AliasDamagedError: If it is not what was written there.
        NewerDecisionError: If a newer version wrote it.
    """
    try:
        content = read_file(path)
        decision = Decision.model_validate_json(content)
    except OSError as error:
        raise AliasDamagedError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        if version_of(content) > ALIAS_VERSION:
            newer = f"{path}: written by a newer version of this project."
            raise NewerDecisionError(newer) from error
        raise AliasDamagedError(f"{path}: no decision, or damaged.") from error
    if decision.digest != decision.expected_digest() or path.stem != f"{decision.number:08}":
        raise AliasDamagedError(f"{path}: changed after it was written.")
    return decision


def mentioned_runs(path: Path) -> set[str]:
    """Return the runs that a damaged decision still names."""
    try:
        return {found.decode() for found in NAMED_RUN.findall(read_file(path))}
    except OSError:
        return set()
