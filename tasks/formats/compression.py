"""Files wrapped by a compressor or in a zip archive, read as streams: what a file is wrapped in is
told by its content, never by its name.

Nothing is ever inflated whole: memory does not grow with the content. What expands without end is
refused while it is read.
"""

import contextlib
import io
import lzma
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
from isal import igzip
from isal.igzip_lib import IsalError

from tasks.formats.errors import DataError, refusing_damage

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # one without a file in it
}
"""What a file is wrapped in, by its first bytes."""
DEEPEST = 3
"""Wrappings, one in another, that are taken off; people wrap twice by mistake, not four times."""
BUFFER = 1 << 18
ALLOWANCE = 1 << 30
"""Bytes that any file may expand to, however small it is."""
RATIO = 300
"""How often its own size a file may expand to beyond that. Images reach 100 at most, even as CSV
and mostly black; what is made to fill a disk reaches 1,000 (gzip) to a million (bzip2)."""
MEMORY = 1 << 28
"""Bytes that xz may take for its dictionary; `xz -9` takes 65 million. (zstd has a limit of its
own, 128 MB.)"""
DIRECTORY = 1 << 23
"""Bytes that the list of files in a zip archive may take: some 100,000 files."""
ASIDE = re.compile(
    r"(^|/)(\.[^/]*|__MACOSX/.*|thumbs\.db|desktop\.ini|(readme|licen[cs]e|changelog|citation)[^/]*"
    r"|[^/]*\.(md|pdf|html?|rst|docx?))$",
    re.IGNORECASE,
)
"""Files that come along in an archive and hold no images."""
OF_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error)
OF_STREAMS: tuple[type[Exception], ...] = (
    EOFError, lzma.LZMAError, zlib.error, IsalError, *OF_ZIP,  # type: ignore[assignment]
)  # fmt: skip
"""What the libraries raise at damage."""


@contextlib.contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading what is in it, through everything that it is wrapped in.

    Args:
        path: The file.
        member: Which file of a zip archive is meant; None for the one that may hold data.

    Yields:
        A buffered stream with `read`, `readline` and `peek`; it cannot go back.

    Raises:
        DataError: If it is wrapped too often, or is an archive of no or several files; while it is
            read, if the file is damaged, cut short, or expands without end.
    """
    with contextlib.ExitStack() as stack:
        stream, _ = _unwrapped(path, stack, member)
        yield stream


def kind(path: Path) -> tuple[str, ...]:
    """Return what a file is wrapped in, from outside to inside; nothing if it is plain.

    Raises:
        DataError: As `opened` does.
    """
    with contextlib.ExitStack() as stack:
        return _unwrapped(path, stack)[1]


def described(form: str, path: Path) -> str:
    """Name a form together with what the file is wrapped in, e.g. "IDX, gzip"."""
    return ", ".join((form, *kind(path)))


def zip_names(path: Path) -> list[str] | None:
    """Return the names of all files in a zip archive, in its order; None if it is none.

    Raises:
        DataError: If it is a damaged archive, or one of too many files.
    """
    with path.open("rb") as file:
        if _kind_of(file) != "zip":
            return None
    with contextlib.ExitStack() as stack:
        archive = _archive(path, stack)
        return [one.filename for one in archive.infolist() if not one.is_dir()]


def _unwrapped(
    path: Path, stack: contextlib.ExitStack, member: str | None = None
) -> tuple[BinaryIO, tuple[str, ...]]:
    stream = stack.enter_context(path.open("rb"))
    size = os.fstat(stream.fileno()).st_size
    kinds: tuple[str, ...] = ()
    while found := _kind_of(stream):
        if len(kinds) == DEEPEST:
            raise DataError(
                f"{path}: it is compressed more than {DEEPEST} times ({', '.join(kinds)}, …).",
                "Decompress it and give what comes out.",
            )
        if found == "zip":
            _refuse_inner_archive(path, kinds)
            inner = _member(path, _archive(path, stack), member, stack)
        else:
            inner = _decompressed(stream, found, stack)
        guard = _Guarded(inner, path, found, max(ALLOWANCE, RATIO * size))
        # Closed with the ones below it; a buffer makes small reads cheap
        stream = io.BufferedReader(guard, BUFFER)
        kinds = (*kinds, found)
    return cast("BinaryIO", stream), kinds


def _kind_of(stream: io.BufferedReader) -> str:
    beginning = stream.peek(8)[:8]
    return next((name for magic, name in MAGIC.items() if beginning.startswith(magic)), "")


def _refuse_inner_archive(path: Path, kinds: tuple[str, ...]) -> None:
    if kinds:  # its list of files is at its end, where a stream is last
        raise DataError(
            f"{path}: it is a zip archive that was compressed once more ({', '.join(kinds)}).",
            "Decompress it once and give the archive, or unpack that too and give its folder.",
        )


def _decompressed(stream: io.BufferedReader, found: str, stack: contextlib.ExitStack) -> BinaryIO:
    if found == "xz":
        return cast("BinaryIO", _Xz(stream))
    if found == "gzip":
        return cast("BinaryIO", stack.enter_context(igzip.GzipFile(fileobj=stream, mode="rb")))
    source = pa.PythonFile(stream, mode="r")
    return cast("BinaryIO", stack.enter_context(pa.CompressedInputStream(source, found)))


def _archive(path: Path, stack: contextlib.ExitStack) -> zipfile.ZipFile:
    if _directory_size(path) > DIRECTORY:
        raise DataError(
            f"{path}: it is a zip archive of too many files to be read as it is.",
            "Unpack it (unzip) and give its folder.",
        )
    with refusing_damage(partial(_damaged, path, "zip"), *OF_ZIP):
        return stack.enter_context(zipfile.ZipFile(path))


def _directory_size(path: Path) -> int:
    """Return how many bytes the list of files takes, as the end of a zip archive says."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16) - 22))
        end = file.read()
    place = end.rfind(b"PK\x05\x06")
    if place < 0 or len(end) < place + 16:
        return 0  # damaged: the library says how
    size: int = struct.unpack_from("<I", end, place + 12)[0]
    return size


def _member(
    path: Path, archive: zipfile.ZipFile, name: str | None, stack: contextlib.ExitStack
) -> BinaryIO:
    """Open a file of an archive."""
    chosen = _only_member(path, archive) if name is None else archive.getinfo(name)
    if chosen.flag_bits & 1:
        raise DataError(
            f"{path}: the file in this zip archive ({chosen.filename}) is encrypted.",
            "Unpack it with its password (unzip) and give what comes out.",
        )
    with refusing_damage(partial(_damaged, path, "zip"), *OF_ZIP):
        return cast("BinaryIO", stack.enter_context(archive.open(chosen)))


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the one file of an archive that may hold data."""
    members = [one for one in archive.infolist() if not one.is_dir()]
    useful = [one for one in members if not ASIDE.search(one.filename)] or members
    if len(useful) == 1:
        return useful[0]
    shown = ", ".join(one.filename for one in useful[:5]) + (", …" if len(useful) > 5 else "")
    holds = f"it holds {len(useful):,} files ({shown})" if useful else "there is no file in it"
    raise DataError(
        f"{path}: a zip archive with one file of images was expected, but {holds}.",
        "Unpack it (unzip) and give its folder, or one of its files."
        if useful
        else "Get the archive again.",
    )


class _Xz(io.RawIOBase):
    """The content of an xz file. Python's own reader sets no limit to the memory that a file may
    ask for, and takes whatever is damaged behind a first stream for its end."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source = source
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read what comes next into `buffer`; return how much that was."""
        while True:
            if self._stream.eof:
                rest = self._stream.unused_data.lstrip(b"\0")  # zeros may fill up a block
                if not rest and not (rest := self._source.read1().lstrip(b"\0")):
                    return 0
                self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
            else:
                rest = self._source.read1() if self._stream.needs_input else b""
                if not rest and self._stream.needs_input:
                    raise EOFError("the end is missing")
            if content := self._stream.decompress(rest, len(buffer)):
                buffer[: len(content)] = content
                return len(content)


class _Guarded(io.RawIOBase):
    """A stream of decompressed bytes that turns damage, and an end that never comes, into words."""

    def __init__(self, source: BinaryIO, path: Path, found: str, limit: int) -> None:
        self._source = source
        self._path = path
        self._kind = found
        self._limit = limit
        self._count = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read what comes next into `buffer`; return how much that was."""
        with refusing_damage(partial(_damaged, self._path, self._kind), *OF_STREAMS):
            read: int = self._source.readinto(buffer)  # type: ignore[attr-defined]
        self._count += read
        if self._count > self._limit:
            raise DataError(
                f"{self._path}: it expands to more than {self._limit / 1e9:,.1f} GB, over {RATIO} "
                f"times its own size ({self._kind}). No images compress so well.",
                "If this is intended, decompress it and give what comes out.",
            )
        return read


def _damaged(path: Path, found: str, error: Exception) -> DataError:
    if "too much memory" in str(error) or "usage limit" in str(error):
        tool = "unxz" if found == "xz" else "unzstd --long=31"
        return DataError(
            f"{path}: decompressing it takes too much memory ({error}).",
            f"Decompress it ({tool}) and give what comes out.",
        )
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return DataError(
        f"{path}: it is compressed ({found}), but cut short or damaged: {reason}.",
        "Copy or download it again, whole.",
    )
