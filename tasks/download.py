"""Downloads that go on where they stopped, and are there whole and verified or not at all."""

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import httpx

from autoencoders.errors import PipelineError

TIMEOUT = httpx.Timeout(30.0)
"""Seconds until a server must have answered, or sent something more."""
MOST = 1 << 30
"""Bytes that a file may have: a server that sends without end fills no disk."""
AGAIN = "Run the same command again: it resumes where it stopped."
CHECK_URL = "Look at the address that was given with --url."
Report = Callable[[int, int | None], None]
"""Receives how many bytes are there, and how many there will be, if that is known."""


class InterruptedDownloadError(PipelineError):
    """The connection broke, or the server could not answer: trying again may help."""


def download(
    url: str, path: Path, sha256: str | None, check: Callable[[Path], None], report: Report
) -> None:
    """Download a file, unless it is there.

    What has arrived so far is kept as `<name>.part`; its name appears when all is there and right.

    Args:
        url: Where it is.
        path: Where it goes; a file there that is not what it should be is replaced.
        sha256: Of the whole file; None if it is not known.
        check: Raises a PipelineError if a file is not what it should be.
        report: Told after each piece that has arrived.

    Raises:
        InterruptedDownloadError: If it may work another time; what has arrived is kept.
        PipelineError: If the server has no such file, or another one, of which nothing is kept.
    """
    if path.is_file() and _is_right(path, sha256, check):
        return
    part = path.with_name(f"{path.name}.part")
    with part.open("ab") as file, _locked(file, part):
        try:
            _receive(url, file, report)
        finally:
            file.flush()
            if not os.fstat(file.fileno()).st_size:
                part.unlink()
        os.fsync(file.fileno())
        try:
            _verify(url, part, sha256, check)
        except PipelineError:
            part.unlink()
            raise
        part.replace(path)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_right(path: Path, sha256: str | None, check: Callable[[Path], None]) -> bool:
    if sha256 is not None and sha256_of(path) != sha256:
        return False
    try:
        check(path)
    except PipelineError:
        return False
    return True


def _verify(url: str, part: Path, sha256: str | None, check: Callable[[Path], None]) -> None:
    _refuse_other_kinds(url, part)
    if sha256 is not None and (found := sha256_of(part)) != sha256:
        raise PipelineError(
            f"{url}: the file that arrived has the sha256 {found}; expected {sha256}.",
            "Run the same command again to download it afresh. If its publisher has changed it, "
            "write the new sha256 into SHA256SUMS, in the folder of --output.",
        )
    check(part)


@contextlib.contextmanager
def _locked(file: BinaryIO, part: Path) -> Iterator[None]:
    """Hold the file alone; the lock of a process that dies is free at once."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InterruptedDownloadError(
            f"{part}: another process is downloading it.", "Wait until that has ended."
        ) from error
    yield  # closing the file lets go of it


def _receive(url: str, file: BinaryIO, report: Report) -> None:
    """Append what is missing to a file."""
    done = file.seek(0, os.SEEK_END)
    # Not decompressed on the way: the bytes of the file itself are what is verified
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True,
                          timeout=TIMEOUT) as answer:  # fmt: skip
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and done:
                _require_all_there(answer, file, done, url)
                return
            _refuse_status(url, answer)
            if not _goes_on(answer, done):  # the server sends all of it, whatever was asked for
                file.truncate(0)
                done = 0
            total = _total(answer, done)
            for piece in answer.iter_raw():  # as it arrives: nothing is lost when it breaks off
                file.write(piece)
                done += len(piece)
                if done > MOST:
                    file.truncate(0)
                    raise PipelineError(
                        f"{url}: it sends more than {MOST / 1e9:.1f} GB.", CHECK_URL
                    )
                report(done, total)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise PipelineError(f"{url}: {str(error).rstrip('.')}.", CHECK_URL) from error
    except httpx.HTTPError as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise InterruptedDownloadError(f"{url}: {reason}, after {done:,} bytes.", AGAIN) from error
    if total is not None and done < total:
        raise InterruptedDownloadError(f"{url}: it ends after {done:,} of {total:,} bytes.", AGAIN)


def _refuse_status(url: str, answer: httpx.Response) -> None:
    if answer.headers.get("Content-Type", "").startswith("text/html") and answer.is_success:
        raise _web_page(url)  # before anything that has arrived earlier is overwritten
    if answer.is_success:
        return
    problem = f"{url}: the server answers {answer.status_code} ({answer.reason_phrase})."
    busy = answer.is_server_error or answer.status_code in (
        httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS,
    )  # fmt: skip
    if busy:
        raise InterruptedDownloadError(problem, AGAIN)
    raise PipelineError(problem, CHECK_URL)


def _goes_on(answer: httpx.Response, done: int) -> bool:
    """Return whether an answer begins where the file ends."""
    begins = re.match(rf"bytes {done}-", answer.headers.get("Content-Range", ""))
    return answer.status_code == httpx.codes.PARTIAL_CONTENT and begins is not None


def _total(answer: httpx.Response, done: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return done + int(length) if length.isdigit() else None


def _require_all_there(answer: httpx.Response, file: BinaryIO, done: int, url: str) -> None:
    """Accept that all is there; if it is more than the server has, begin again next time."""
    if answer.headers.get("Content-Range", "") == f"bytes */{done}":
        return
    file.truncate(0)
    raise InterruptedDownloadError(
        f"{url}: the part downloaded before is not the beginning of this file.",
        "Run the same command again: it starts over.",
    )


def _refuse_other_kinds(url: str, part: Path) -> None:
    """Refuse what a server sends in place of a file, by its first bytes."""
    with part.open("rb") as file:
        beginning = file.read(200).lstrip()
    if beginning.startswith(b"<"):
        raise _web_page(url)
    if beginning.startswith(b"version https://git-lfs"):
        raise PipelineError(
            f"{url}: a Git LFS pointer arrived instead of the file.",
            "Give an address that serves the files themselves with --url.",
        )


def _web_page(url: str) -> PipelineError:
    return PipelineError(
        f"{url}: a web page arrived instead of the file.",
        "Give the address of the files themselves with --url: on GitHub that of `raw`, not of "
        "`blob`.",
    )
