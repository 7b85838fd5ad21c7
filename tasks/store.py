"""The artifact store: the one module that turns URIs into files.

ROOT/<stage>/<key>/              an artifact: files and manifest.json, whole or not there
ROOT/runs/<run>/, ROOT/latest    finished runs: links to what their stages published
ROOT/active/<run>.json           journals of runs that are under way or were interrupted
ROOT/checkpoints/<stage>-<key>/  what an interrupted stage goes on from
ROOT/locks/                      one lock file a computation under way
ROOT/tmp/                        what is being written; never read
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoencoders.errors import PipelineError

MANIFEST = "manifest.json"
NAME = re.compile(r"[a-z][a-z0-9_]*")
KEY = re.compile(r"[0-9a-f]{32}")
RESERVED = frozenset({"active", "bench", "checkpoints", "latest", "locks", "runs", "tmp"})
"""Names in the store that are no stages."""
LEAST_SPACE = 16_000_000
"""Bytes that must be free before any stage starts: more than networks, metrics and figures take."""
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StoreError(PipelineError):
    """The store cannot be read or written."""


class Record(BaseModel):
    """A value that is stored as JSON and believed only if it is exactly of its form."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArtifactRef(Record):
    """One file, by content: where it is, its sha256, its size in bytes."""

    uri: str
    sha256: Digest
    size: Annotated[int, Field(ge=0)]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Describe the file at `path` as it is now."""
        return cls(uri=path.absolute().as_uri(), sha256=_sha256(path), size=path.stat().st_size)

    @property
    def path(self) -> Path:
        """The file itself.

        Raises:
            StoreError: If the URI names another kind of store than the local disk.
        """
        parts = urlsplit(self.uri)
        if parts.scheme != "file" or parts.netloc:
            raise StoreError(f"{self.uri}: only file:// URIs can be opened on this machine.")
        return Path(unquote(parts.path))

    def checked(self) -> Path:
        """Return the file after reading it once to see that its content is what this promises.

        Raises:
            StoreError: If it is missing or changed.
        """
        try:
            intact = _sha256(self.path) == self.sha256
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read ({error.strerror}).") from error
        if not intact:
            raise StoreError(
                f"{self.path}: the content has changed since it was looked at (expected sha256 "
                f"{self.sha256[:12]}…). Run again; if it is an artifact, `verify` heals it."
            )
        return self.path


class Artifact(Record):
    """What a stage published: its files by name."""

    stage: str
    key: str
    files: dict[str, ArtifactRef]

    def __getitem__(self, name: str) -> ArtifactRef:
        """Return the file called `name`."""
        return self.files[name]


class KeyParts(Record):
    """Everything that decides the bytes a stage makes; its digest is the stage's key."""

    stage: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    settings: dict[str, Any]
    """The settings the stage receives, as JSON values."""
    inputs: dict[str, Digest]
    """The sha256 of every file it reads."""
    code: dict[str, str]
    """Every definition of ours that it can reach, by `module:name`: its digest or its text."""
    libraries: dict[str, str]
    """The versions of the libraries it can reach."""

    @property
    def key(self) -> str:
        """32 hexadecimal digits."""
        return _digest(self.model_dump(mode="json"))[:32]


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
    """How long the computation took."""
    digest: Digest
    """sha256 of all the above: a manifest edited by hand is not believed."""

    @classmethod
    def sealed(cls, **fields: Any) -> Self:
        """Build a manifest with its digest."""
        draft = cls(**fields, digest="0" * 64)
        return draft.model_copy(update={"digest": draft.expected_digest()})

    def expected_digest(self) -> str:
        """Return what `digest` must be."""
        return _digest(self.model_dump(mode="json", exclude={"digest"}))


class Output:
    """Where a stage under way writes."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        """Name the two folders; `folder` exists already."""
        self.folder = folder
        """What is put here gets published, or thrown away if the stage fails."""
        self.scratch = scratch
        """What is put here stays until the stage has finished, over every interruption."""

    def require_space(self, size: int) -> None:
        """Refuse to start writing `size` bytes where they cannot fit.

        Raises:
            StoreError: If the disk has less free space.
        """
        free = shutil.disk_usage(self.folder).free
        if free < size:
            raise StoreError(
                f"{self.folder}: no space for this stage's output. It needs {_mb(size)}, "
                f"{_mb(free)} are free. Free some space, or give another folder with --artifacts, "
                "and run again; finished stages are kept."
            )


class Store:
    """The artifacts below one root folder."""

    def __init__(self, root: Path) -> None:
        """Name the root; nothing is read or made yet."""
        self.root = root.absolute()

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
            StoreError: If there is none, or it is not what a stage wrote there.
        """
        path = self.folder(stage, key) / MANIFEST
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path}: missing or not a manifest.") from error
        if manifest.digest != manifest.expected_digest():
            raise StoreError(f"{path}: edited after it was written.")
        if (manifest.parts.stage, manifest.parts.key) != (stage, key):
            raise StoreError(f"{path}: describes another artifact.")
        return manifest

    def find(self, stage: str, key: str) -> Artifact:
        """Return a published artifact whose files are all there with the right size.

        Raises:
            StoreError: If it is missing or not whole; the stage then has to run.
        """
        folder = self.folder(stage, key)
        manifest = self.manifest(stage, key)
        for name, entry in manifest.files.items():
            path = folder / name
            if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size:
                raise StoreError(f"{path}: missing, truncated or replaced.")
        refs = {
            name: ArtifactRef(uri=(folder / name).as_uri(), sha256=entry.sha256, size=entry.size)
            for name, entry in manifest.files.items()
        }
        return Artifact(stage=stage, key=key, files=refs)

    @contextlib.contextmanager
    def writing(self, stage: str, key: str) -> Iterator[Output]:
        """Offer a stage its two folders; the temporary one goes when the block ends.

        Raises:
            StoreError: If the disk is full or the folder cannot be written to.
        """
        scratch = self.root / "checkpoints" / f"{stage}-{key}"
        prefix = f"{stage}-{key}-{socket.gethostname()}-"
        with explained(self.root):
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            for leftover in (self.root / "tmp").glob(f"{prefix}*"):  # of a killed run: we hold
                shutil.rmtree(leftover)  # this key's lock, so nobody else writes there
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.root / "tmp"))
            output = Output(folder, scratch)
            try:
                output.require_space(LEAST_SPACE)
                yield output
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self, output: Output, parts: KeyParts, *, created: str, seconds: float) -> Artifact:
        """Make what a stage wrote visible under its final name, all at once.

        Files and folders are synced to the disk before the rename, the manifest is among them, so
        a crash at any moment leaves either the whole artifact or none.
        """
        files = {}
        for path in sorted(output.folder.iterdir()):
            sync(path)
            path.chmod(0o444)
            files[path.name] = FileEntry(sha256=_sha256(path), size=path.stat().st_size)
        manifest = Manifest.sealed(parts=parts, files=files, created=created, seconds=seconds)
        write_atomically(output.folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
        output.folder.chmod(0o755)
        target = self.folder(parts.stage, parts.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.discard(target)  # only a damaged artifact is ever in the way
        output.folder.rename(target)
        sync(target.parent)
        shutil.rmtree(output.scratch, ignore_errors=True)
        return self.find(parts.stage, parts.key)

    def artifacts(self) -> Iterator[tuple[str, str]]:
        """Yield the stage and the key of everything that stands where an artifact would."""
        for stage in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if stage.name not in RESERVED and NAME.fullmatch(stage.name) and stage.is_dir():
                for folder in sorted(stage.iterdir()):
                    if KEY.fullmatch(folder.name):
                        yield stage.name, folder.name

    def discard(self, path: Path) -> None:
        """Take a file or folder out of sight at once, then delete it."""
        if not path.exists():
            return
        (self.root / "tmp").mkdir(exist_ok=True)
        trash = Path(tempfile.mkdtemp(prefix="trash-", dir=self.root / "tmp"))
        path.rename(trash / path.name)
        shutil.rmtree(trash)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that its name never shows less than the whole content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # there only if the above failed
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(value: Mapping[str, Any]) -> bytes:
    """Return `value` as JSON for people to read: sorted, indented, the same bytes every time."""
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


@contextlib.contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn the system's write errors into ones that say what to do."""
    try:
        yield
    except OSError as error:
        place = error.filename or root
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"{place}: the disk is full ({_mb(shutil.disk_usage(root).free)} free). Nothing "
                f"half-written was published. Free at least {_mb(LEAST_SPACE)}, or give another "
                "folder with --artifacts, and run again; finished stages are kept."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(
                f"{place}: cannot be written to ({error.strerror}). Make the folder writable, or "
                "give another one with --artifacts, and run again."
            ) from error
        raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
