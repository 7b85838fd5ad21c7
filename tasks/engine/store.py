"""The artifact store: the one module that turns addresses and URIs into files.

ROOT/<stage>/<key>/              an artifact: files and manifest.json, whole or not there
ROOT/runs/<run>/, ROOT/latest    finished runs: links to what their stages published
ROOT/aliases/<name>/             decisions about which run a name stands for
ROOT/active/<run>.json           journals of runs that are under way or were interrupted
ROOT/checkpoints/<stage>-<key>/  what an interrupted stage resumes from
ROOT/locks/                      one lock file per computation under way
ROOT/tmp/                        what is being written; never read
ROOT/mlflow/                     a mirror for people, which may be deleted
ROOT/aside/                      what was found in the place of one of these; never deleted
"""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from .errors import DamagedError, InputChangedError, NewerError, StoreError
from .files import content_digest, friendly_os_errors, read_file, sha256_now, sha256_of
from .handles import ArtifactRef, Output, Report, sync, write_atomically
from .manifest import FORMAT, KEY, NAME, Artifact, FileEntry, KeyParts, Manifest
from .rooms import (
    ASIDE,
    MARKER,
    check_root,
    delete,
    discard,
    entries,
    is_plain,
    move_aside,
    rename,
    room,
)

MANIFEST = "manifest.json"
RESERVED = frozenset(
    {ASIDE, "active", "aliases", "bench", "checkpoints", "latest", "locks", "mlflow", "runs", "tmp"}
)
"""Names in the store that are no stages."""
READ_UP_TO = 16_000_000
"""Bytes up to which a file is read whenever its artifact is looked up. What a run publishes, such
as figures and models, is small, and nothing reads it before people do. Images are large, and each
stage reads its inputs through before it computes with them."""
LEAST_SPACE = 16_000_000
"""Bytes that must be free before any stage starts."""


class Store:
    """The artifacts below one root folder."""

    def __init__(self, root: Path) -> None:
        """Name the root; nothing is made yet.

        Raises:
            PlaceError, NotWritableError: If no folder can be there.
        """
        self.root = root.absolute()
        check_root(self.root)

    def room(self, name: str) -> Path:
        """Return one of the store's own folders, made if missing, free of what is no folder."""
        return room(self.root, name)

    def discard(self, path: Path) -> None:
        """Take a file or folder out of sight at once, then delete it."""
        discard(self.root, path)

    def folder(self, stage: str, key: str) -> Path:
        """Return where an artifact stands, or would.

        Raises:
            StoreError: If the stage or the key is not well-formed: paths cannot leave the root.
        """
        if not NAME.fullmatch(stage) or not KEY.fullmatch(key):
            raise StoreError(f"{stage}/{key}: not an artifact's address.")
        return self.root / stage / key

    def manifest(self, stage: str, key: str) -> Manifest:
        """Read and check the manifest of one artifact, without looking at its files.

        Raises:
            DamagedError: If there is none, or it is not what a stage wrote there.
            NewerError: If a newer version of the engine wrote it.
        """
        path = self.folder(stage, key) / MANIFEST
        try:
            content = read_file(path)
            manifest = Manifest.model_validate_json(content)
        except OSError as error:
            raise DamagedError(f"{path}: missing or not readable.") from error
        except ValidationError as error:
            if _engine_of(content) > FORMAT:
                raise NewerError(f"{path}: written by a newer version of this project.") from error
            raise DamagedError(f"{path}: not a manifest.") from error
        if (manifest.parts.engine or 0) > FORMAT:
            raise NewerError(f"{path}: written by a newer version of this project.")
        if manifest.digest != manifest.expected_digest():
            raise DamagedError(f"{path}: edited after it was written.")
        if (manifest.parts.stage, manifest.parts.key) != (stage, key):
            raise DamagedError(f"{path}: describes another artifact.")
        return manifest

    def find(self, stage: str, key: str) -> Artifact:
        """Return a published artifact whose files are all there with the right size.

        Files of up to `READ_UP_TO` bytes are read and compared with what was published.

        Raises:
            DamagedError: If it is missing or not whole; the stage then has to run.
        """
        folder = self.folder(stage, key)
        refs = {}
        for name, entry in self.manifest(stage, key).files.items():
            path = folder / name
            try:
                whole = is_plain(path) and path.stat().st_size == entry.size
                same = whole and (entry.size > READ_UP_TO or sha256_now(path) == entry.sha256)
            except OSError as error:
                raise DamagedError(f"{path}: cannot be read ({error.strerror}).") from error
            if not same:
                problem = "changed after it was published" if whole else "missing or truncated"
                raise DamagedError(f"{path}: {problem}.")
            refs[name] = ArtifactRef(uri=path.as_uri(), sha256=entry.sha256, size=entry.size)
        return Artifact(stage=stage, key=key, files=refs)

    def fetch(self, ref: ArtifactRef) -> ArtifactRef:
        """Bring a file, or a folder of the user, to this machine, and read it once to see
        that it is what `ref` promises.

        Every file of today's store is on this machine already.

        Raises:
            DamagedError: If it is missing or changed.
            StoreError: If its URI names another kind of store.
        """
        try:
            intact = content_digest(ref.path) == ref.sha256
        except ValueError as error:
            raise StoreError(str(error)) from error
        except OSError as error:
            raise DamagedError(f"{ref.path}: cannot be read ({error.strerror}).") from error
        if not intact:
            changed = DamagedError if self.owns(ref) else InputChangedError
            raise changed(
                f"{ref.path}: the content has changed since it was looked at "
                f"(expected sha256 {ref.sha256[:12]}…)."
            )
        return replace(ref, uri=ref.path.as_uri())

    def owns(self, ref: ArtifactRef) -> bool:
        """Return whether a file is one that a stage published here, and so never changes."""
        parts = ref.path.parts[len(self.root.parts) :]
        inside = ref.path.is_relative_to(self.root) and len(parts) == 3
        return inside and bool(NAME.fullmatch(parts[0]) and KEY.fullmatch(parts[1]))

    @contextlib.contextmanager
    def writing(self, stage: str, key: str, report: Report | None = None) -> Iterator[Output]:
        """Offer a stage its two folders; the temporary one goes when the block ends.

        Raises:
            DiskFullError, NotWritableError: If the folder cannot be written to.
        """
        prefix = f"{stage}-{key}-{socket.gethostname()}-"
        with friendly_os_errors(self.root):
            scratch = self._scratch(f"{stage}-{key}")
            # What a killed run left: we hold this key's lock, so nobody else writes there
            for leftover in self.room("tmp").glob(f"{prefix}*"):
                delete(leftover)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.room("tmp")))
            output = Output(folder, scratch, report)
            try:
                output.require_space(LEAST_SPACE)
                yield output
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _scratch(self, name: str) -> Path:
        """Return where a stage finds what it left there before, free of what it cannot have left.

        Stages leave plain files.
        """
        scratch = self.room("checkpoints") / name
        foreign = [path for path in entries(scratch) if not is_plain(path)]
        for path in foreign if is_plain(scratch, folder=True) else [scratch]:
            if os.path.lexists(path):
                move_aside(self.root, path)
        return scratch

    def publish(
        self, output: Output, parts: KeyParts, *, created: str, seconds: float, cpu_seconds: float
    ) -> Artifact:
        """Make what a stage wrote visible under its final name, all at once.

        Files and folders are synced to the disk before the rename, the manifest is among them, so
        a crash at any moment leaves either the whole artifact or none.
        """
        files = {}
        for path in sorted(output.folder.iterdir()):
            sync(path)
            path.chmod(0o444)
            files[path.name] = FileEntry(sha256=sha256_of(path), size=path.stat().st_size)
        manifest = Manifest.sealed(
            parts=parts, files=files, created=created, seconds=seconds, cpu_seconds=cpu_seconds
        )
        write_atomically(output.folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
        output.folder.chmod(0o755)
        self.room(parts.stage)
        target = self.folder(parts.stage, parts.key)
        self.discard(target)  # only a damaged artifact is ever in the way
        rename(output.folder, target)
        shutil.rmtree(output.scratch, ignore_errors=True)
        return self.find(parts.stage, parts.key)

    def export(self, ref: ArtifactRef, target: Path) -> None:
        """Copy a file of an artifact, checked, to a place outside the store, all at once.

        Raises:
            DamagedError: If it is not what was published.
            DiskFullError, NotWritableError: If it cannot be written.
        """
        with friendly_os_errors(target.parent):
            write_atomically(target, self.fetch(ref).path.read_bytes())

    def artifacts(self) -> Iterator[tuple[str, str]]:
        """Yield the stage and the key of everything that stands where an artifact would.

        A folder without a manifest is none of ours: other programs use such names too.
        """
        for stage in entries(self.root):
            if stage.name not in RESERVED and NAME.fullmatch(stage.name):
                for folder in entries(stage):
                    if KEY.fullmatch(folder.name) and os.path.lexists(folder / MANIFEST):
                        yield stage.name, folder.name

    def exists(self) -> bool:
        """Return whether a run has ever been here; nothing is removed from any other folder."""
        if os.path.lexists(self.root / MARKER):
            return True
        # Of a version that left no marker
        return any(self.root.glob("runs/*/run.json")) or any(self.root.glob("active/*.json"))


class _Parts(BaseModel):
    engine: int = 0


class _AnyManifest(BaseModel):
    """Of a manifest in whatever form, the format number."""

    parts: _Parts


def _engine_of(content: bytes) -> int:
    try:
        return _AnyManifest.model_validate_json(content).parts.engine
    except ValidationError:
        return 0
