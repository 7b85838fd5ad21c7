"""A run from its first line to its last: journal, steps, publishing, Prefect's pages, pruning."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prefect.runtime import flow_run

from .errors import StoreError
from .gc import collect_garbage
from .handles import ArtifactRef
from .journal import Journal
from .limits import Limit
from .lineage import lineage
from .logs import run_logger
from .pages import Page, show
from .published import PublishedRun, publish_run
from .refusals import telling_once
from .runner import Runner, input_refs
from .store import Store


def tell_nobody(store: Store) -> None:
    """Mirror a store nowhere."""


@dataclass(frozen=True)
class Operations:
    """What the owner of a machine decides about runs; no result depends on it."""

    limits: Mapping[str, Limit]
    """How many stages run at a time, by the name of the limit that they count against."""
    keep_runs: int | None = None
    """How many finished runs are kept when a run ends; None keeps all."""
    mirror: Callable[[Store], None] = tell_nobody
    """Tells others of what the store has, after a run and before old ones are removed; it never
    raises."""


class Run:
    """The context in which a flow runs its steps and publishes its results.

    `with Run(store, settings, data) as run:` opens the journal of the run; `run.step` runs stages;
    `run.publish` makes the run's folder visible; at the end Prefect's pages are filled and old runs
    removed. A block that fails leaves the journal, from which the same command resumes.
    """

    def __init__(
        self,
        store: Store,
        settings: Mapping[str, Any],
        data: Mapping[str, Path],
        operations: Operations = Operations(limits={}),
    ) -> None:
        """Describe the run of the Prefect flow under way.

        Args:
            store: Where its stages publish.
            settings: What it was given, as JSON values.
            data: The user's files by role.
            operations: What the machine's owner decides.

        Raises:
            InputError: If a file of the user cannot be read.
            StoreError: If results would be written into a folder of the user's data.
        """
        for path in data.values():
            if path.is_dir() and store.root.resolve().is_relative_to(path.resolve()):
                raise StoreError(
                    f"{store.root}: the results would be among the data, all files in {path}.",
                    "Use a folder for the results that is outside of it, and run again.",
                )
        self.store = store
        self.data = input_refs(data)
        self.operations = operations
        self.journal = Journal(
            store,
            flow=flow_run.flow_name or "",
            name=flow_run.name or "",
            settings=dict(settings),
            data={role: ref.uri for role, ref in self.data.items()},
        )
        self.step = Runner(store, self.journal, operations.limits)
        self._pages: Sequence[Page] = ()
        self._published: PublishedRun | None = None
        self._context = contextlib.ExitStack()

    def lineage(self) -> str:
        """Return in Markdown which files each step so far has read."""
        return lineage(self.store, self.journal.record, self.data)

    def publish(
        self,
        files: Mapping[str, ArtifactRef],
        texts: Mapping[str, str] | None = None,
        pages: Sequence[Page] = (),
        *,
        latest: bool = True,
    ) -> PublishedRun:
        """Make the run's folder visible, all at once.

        Args:
            files: By its place in the folder, the file of an artifact that is linked there.
            texts: Text files of the folder by name, written as they are.
            pages: What Prefect's pages show, beside the lineage and where the folder is.
            latest: Whether the link `latest` moves to this run.
        """
        self._pages = (
            *pages,
            Page("lineage", "What each step read; V2 pages show it as a drawing", self.lineage()),
        )
        self._published = publish_run(
            self.store, self.journal.finished(), self.data, files, texts or {}, latest=latest
        )
        return self._published

    def __enter__(self) -> Self:
        """Open the journal."""
        with telling_once(), contextlib.ExitStack() as stack:
            stack.enter_context(self.journal)
            stack.enter_context(telling_once())
            self._context = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the journal; of a run that was published, show and mirror the results, and remove
        old runs."""
        self._context.__exit__(kind, error, trace)
        if error is None and self._published is not None:
            show(self._pages, self._published.folder)
            self.operations.mirror(self.store)
            if self.operations.keep_runs is not None:
                self._prune(self.operations.keep_runs)

    def _prune(self, keep_runs: int) -> None:
        """Remove old runs; if that fails, it is no fault of the run that has just finished."""
        try:
            freed = collect_garbage(self.store, keep_runs, dry_run=False)
        except (StoreError, OSError) as error:
            run_logger().error("Old runs were not removed: %s", error)
            return
        size = sum(one.size for one in freed) / 1e6
        run_logger().info(
            "Kept the last %s runs; removed %s items, %s MB.", keep_runs, len(freed), f"{size:,.1f}"
        )
