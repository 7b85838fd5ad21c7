"""A name for one of the finished runs, and the history of what it has named.

ROOT/aliases/<name>/00000001.json, 00000002.json, … are decisions, oldest first, and nothing else is
kept: an alias names what the newest decision with a target names. So a change of the alias and its
evidence are one file, which is there whole or not at all, and no decision is ever overwritten.
"""

import contextlib
import datetime
import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from .errors import AliasDamagedError, DamagedError, MovedError, NoTargetError
from .files import friendly_os_errors, json_digest, read_file, sha256_of
from .handles import sync
from .journal import RUN_NAME, is_finished, run_folder
from .locks import marking, try_lock, unlock
from .logs import run_logger
from .manifest import Digest, Record
from .rooms import entries, room
from .store import Store
from .waiting import erase, holder, sign, wait_for

ALIASES = "aliases"
ALIAS_VERSION = 1
"""Raise it when the form of a decision changes."""
FORMER = 5
"""How many former targets stay in the store beside the present one, to go back to."""
FILE = re.compile(r"[0-9]{8}\.json")
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


class Alias:
    """The alias called `name` of a store."""

    def __init__(self, store: Store, name: str) -> None:
        """Name it; nothing is read or made yet."""
        self.store = store
        self.name = name
        self.folder = store.root / ALIASES / name

    def decisions(self) -> Iterator[Decision]:
        """Yield all decisions, newest first.

        Raises:
            AliasDamagedError: At one that cannot be read.
        """
        for path in reversed(self._paths()):
            yield _read(path)

    def current(self) -> Decision | None:
        """Return the decision that has set what the alias names; None if it names nothing.

        Raises:
            AliasDamagedError: If a decision that may have set it cannot be read.
        """
        return next((one for one in self.decisions() if one.target is not None), None)

    def decide(
        self,
        event: str,
        facts: Mapping[str, Any],
        *,
        over: int | None,
        target: Target | None = None,
        by: str = "",
    ) -> Decision:
        """Write a decision down, and thereby move the alias if it has a target.

        Args:
            event: What was decided, in a word.
            facts: Why.
            over: Number of the decision which set what the alias named when this was decided; 0 if
                it named nothing. None moves it whatever it names, even if that is unknown.
            target: What it names from now on; None leaves it.
            by: The run that decided.

        Raises:
            MovedError: If the alias names something else by now; nothing is written.
            NoTargetError: If the target is no finished run.
            DamagedError: If a file of the target is not what it says.
        """
        with self._alone(), marking(self.store, alone=False), friendly_os_errors(self.store.root):
            now = self._number_of_current(tolerant=over is None)
            if over is not None and now != over:
                raise MovedError(f"{self.name}: was moved meanwhile, by decision {now}.")
            if target is not None:
                require_intact(self.store, target)
            paths = self._paths()
            decision = Decision.sealed(
                number=1 + (int(paths[-1].stem) if paths else 0),
                previous=sha256(read_file(paths[-1])).hexdigest() if paths else "",
                at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                by=by, event=event, over=now, target=target, facts=dict(facts),
            )  # fmt: skip
            self._write(decision)
        return decision

    def _number_of_current(self, *, tolerant: bool) -> int:
        try:
            current = self.current()
        except AliasDamagedError:
            if not tolerant:
                raise
            return 0
        return current.number if current else 0

    def _write(self, decision: Decision) -> None:
        """Write a file under a number that no file has, all at once."""
        room(self.store.root, ALIASES)
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob(".draft-*"):  # by a process that was killed: we are alone here
            left.unlink()
        draft = self.folder / f".draft-{os.getpid()}"
        draft.write_bytes(decision.model_dump_json(indent=1).encode())
        draft.chmod(0o444)
        sync(draft)
        os.link(draft, self.folder / f"{decision.number:08}.json")  # unlike a rename, replaces none
        draft.unlink()
        sync(self.folder)
        sync(self.folder.parent)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.store.root / "locks" / f"alias-{self.name}"
        held = wait_for(
            lambda: try_lock(path),
            lambda: f"Waiting to decide about {self.name}: {holder(path)}.",
            run_logger().info,
            pause=0.1,
        )
        assert held is not None
        sign(held)
        try:
            yield
        finally:
            erase(held)
            unlock(path, held)

    def _paths(self) -> list[Path]:
        return [path for path in entries(self.folder) if FILE.fullmatch(path.name)]

    def pinned(self) -> set[str]:
        """Return the runs that the alias names or may go back to.

        Raises:
            AliasDamagedError: If it is unknown what it names.
        """
        found: dict[str, None] = {}
        for path in reversed(self._paths()):
            try:
                target = _read(path).target
            except AliasDamagedError:
                if not found:
                    raise
                found |= dict.fromkeys(_mentioned(path))
                continue
            if target is not None:
                found[target.run] = None
            if len(found) > FORMER:
                break
        return set(found)

    def problems(self) -> list[str]:
        """Read everything again; return what is wrong, in words."""
        found, previous, number = [], "", 0
        with friendly_os_errors(self.store.root):
            for path in self._paths():
                number += 1
                try:
                    decision = _read(path)
                    if (decision.number, decision.previous) != (number, previous):
                        found.append(f"{path}: does not follow the decision before it.")
                except DamagedError as error:
                    found.append(error.problem)
                number, previous = int(path.stem), sha256(read_file(path)).hexdigest()
            try:
                if (current := self.current()) is not None and current.target is not None:
                    require_intact(self.store, current.target)
            except (DamagedError, NoTargetError) as error:
                found.append(error.problem)
        return list(dict.fromkeys(found))


def aliases(store: Store) -> list[Alias]:
    """Return every alias of a store."""
    return [Alias(store, path.name) for path in entries(store.root / ALIASES) if path.is_dir()]


def require_intact(store: Store, target: Target) -> None:
    """Read what a target names through, and compare it.

    Raises:
        NoTargetError: If the run is not there.
        DamagedError: If a file is not what the target says.
    """
    if not is_finished(store, target.run):
        raise NoTargetError(f"{target.run}: no finished run of this name is there any more.")
    for place, digest in target.files.items():
        path = run_folder(store, target.run) / place
        try:
            found = sha256_of(path)
        except OSError as error:
            raise DamagedError(f"{path}: missing or not readable.", "") from error
        if found != digest:
            raise DamagedError(f"{path}: changed after it was published.", "")


def _read(path: Path) -> Decision:
    try:
        decision = Decision.model_validate_json(read_file(path))
    except (OSError, ValidationError) as error:
        raise AliasDamagedError(f"{path}: no decision, or damaged.") from error
    if decision.digest != decision.expected_digest() or path.stem != f"{decision.number:08}":
        raise AliasDamagedError(f"{path}: changed after it was written.")
    return decision


def _mentioned(path: Path) -> set[str]:
    """Return the runs that a damaged decision still names."""
    try:
        return {found.decode() for found in NAMED_RUN.findall(read_file(path))}
    except OSError:
        return set()
