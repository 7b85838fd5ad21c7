"""A name for one of the finished runs, and the history of what it has named.

ROOT/aliases/<name>/00000001.json, 00000002.json, … are decisions, oldest first, and nothing else is
kept: an alias names what the newest decision with a target names. So a change of the alias and its
evidence are one file, which is there whole or not at all, and no decision is ever overwritten.
"""

import contextlib
import datetime
import os
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from .decisions import Decision, Target, mentioned_runs, read_decision
from .errors import (
    AliasDamagedError,
    DamagedError,
    MovedError,
    NoTargetError,
    TargetDamagedError,
)
from .files import friendly_os_errors, read_file, sha256_of
from .handles import sync
from .journal import is_finished, run_folder
from .locks import marking, try_lock, unlock
from .logs import run_logger
from .rooms import entries, room
from .store import Store
from .waiting import erase, holder, sign, wait_for

ALIASES = "aliases"
FORMER = 5
"""How many former targets stay in the store beside the present one, to go back to."""
FILE = re.compile(r"[0-9]{8}\.json")


Write = Callable[[str, Mapping[str, Any], Target | None, str], Decision]


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
            yield read_decision(path)

    def readable(self) -> Iterator[Decision]:
        """Yield all decisions but those that are damaged, newest first."""
        for path in reversed(self._paths()):
            with contextlib.suppress(AliasDamagedError):
                yield read_decision(path)

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
        """Write a decision down, and thereby move the alias if it has a target; see `deciding`."""
        with self.deciding(over) as write:
            return write(event, facts, target, by)

    @contextlib.contextmanager
    def deciding(self, over: int | None) -> Iterator[Write]:
        """Let nobody else decide within the block, in which one decision is written.

        Args:
            over: Number of the decision which set what the alias named when this was decided; 0 if
                it named nothing. None writes whatever it names, even if that is unknown.

        Yields:
            A function of the event in a word, the facts, the target or None, and the run that
            decides. It raises NoTargetError if the target is no finished run, TargetDamagedError
            if a file of it is not what it says; nothing is written then.

        Raises:
            MovedError: If the alias names something else by now.
        """
        with self._alone(), friendly_os_errors(self.store.root):
            now = self._number_of_current(tolerant=over is None)
            if over is not None and now != over:
                raise MovedError(f"{self.name}: was moved meanwhile, by decision {now}.")

            def write(
                event: str, facts: Mapping[str, Any], target: Target | None, by: str
            ) -> Decision:
                with marking(self.store, alone=False):  # garbage collection waits
                    if target is not None:
                        require_intact(self.store, target)
                    return self._append(event, facts, target, by, now)

            yield write

    def _append(
        self, event: str, facts: Mapping[str, Any], target: Target | None, by: str, over: int
    ) -> Decision:
        paths = self._paths()
        decision = Decision.sealed(
            number=1 + (int(paths[-1].stem) if paths else 0),
            previous=sha256(read_file(paths[-1])).hexdigest() if paths else "",
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            by=by, event=event, over=over, target=target, facts=dict(facts),
        )  # fmt: skip
        self._write(decision)
        return decision

    def former(self) -> Target | None:
        """Return what the alias named before it first named what it names now; None if nothing.

        So going back twice goes back two targets, and not to and fro.

        Raises:
            AliasDamagedError: If it is unknown what it names, or what it named before.
        """
        current = self.current()
        if current is None or current.target is None:
            return None
        run = current.target.run
        *_, first = (one for one in self.readable() if one.target and one.target.run == run)
        return read_decision(self.folder / f"{first.over:08}.json").target if first.over else None

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
                target = read_decision(path).target
            except AliasDamagedError:
                if not found:
                    raise
                found |= dict.fromkeys(mentioned_runs(path))
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
                    decision = read_decision(path)
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
        TargetDamagedError: If a file is not what the target says.
    """
    if not is_finished(store, target.run):
        raise NoTargetError(f"{target.run}: no finished run of this name is there any more.")
    for place, digest in target.files.items():
        path = run_folder(store, target.run) / place
        try:
            found = sha256_of(path)
        except OSError as error:
            raise TargetDamagedError(f"{path}: missing or not readable.") from error
        if found != digest:
            raise TargetDamagedError(f"{path}: changed after it was published.")
