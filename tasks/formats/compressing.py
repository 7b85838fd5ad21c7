"""Files wrapped for writing as others are: in the same compressors, or in a zip archive."""

import bz2
import contextlib
import gzip
import io
import lzma
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from tasks.formats.compression import ASIDE, kind

LEVEL = 6
"""Of gzip: its own default; Python's is 9, which takes three times as long for 1 % of the size."""


@contextlib.contextmanager
def wrapped_like(source: Path, target: BinaryIO) -> Iterator[BinaryIO]:
    """Open a stream for content that reaches `target` wrapped as that of `source` is.

    Args:
        source: A file, plain or wrapped; in an archive, the files beside the one of images are
            copied.
        target: Where the bytes go.

    Yields:
        The stream to write the plain content to.
    """
    with contextlib.ExitStack() as stack:
        stream = target
        for one in kind(source):
            stream = _wrapped(one, source, stream, stack)
        yield stream


def _wrapped(kind_: str, source: Path, stream: BinaryIO, stack: contextlib.ExitStack) -> BinaryIO:
    opened: Any
    match kind_:
        case "gzip":  # without a name and a time: equal content is equal bytes
            opened = gzip.GzipFile("", "wb", LEVEL, stream, mtime=0)
        case "bz2":
            opened = bz2.BZ2File(stream, "wb")  # the stack closes it
        case "xz":
            opened = lzma.LZMAFile(stream, "wb")  # noqa: SIM115
        case "zstd":
            sink = pa.PythonFile(_LeftOpen(stream), mode="w")
            opened = pa.CompressedOutputStream(sink, "zstd")
        case _:
            return _in_archive(source, stream, stack)
    return cast("BinaryIO", stack.enter_context(opened))


class _LeftOpen(io.RawIOBase):
    """A stream that Arrow, which closes what it has written to, leaves open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return self._stream.write(content)


def _in_archive(source: Path, stream: BinaryIO, stack: contextlib.ExitStack) -> BinaryIO:
    """Open the one file of an archive that holds images, after copying the others."""
    target = stack.enter_context(zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED))
    archive = stack.enter_context(zipfile.ZipFile(source))
    members = [one for one in archive.infolist() if not one.is_dir()]
    beside = [one for one in members if ASIDE.search(one.filename)]
    images = next(one for one in members if one not in beside or len(members) == 1)
    for one in beside:
        if one is not images:
            copy_member(archive, one, target)
    return cast("BinaryIO", stack.enter_context(target.open(like(images), "w", force_zip64=True)))


def like(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return a new member of the same name, time and compression."""
    made = zipfile.ZipInfo(member.filename, member.date_time)
    made.compress_type, made.external_attr = member.compress_type, member.external_attr
    return made


def copy_member(source: zipfile.ZipFile, member: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    """Copy a file from one archive into another."""
    with source.open(member) as content, target.open(like(member), "w", force_zip64=True) as copy:
        shutil.copyfileobj(content, copy)
