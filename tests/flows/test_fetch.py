"""Downloading: from a real server of this machine that breaks off, ignores, refuses and lies."""

import contextlib
import gzip
import hashlib
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from tasks import download as downloads
from tasks.download import InterruptedDownloadError, download
from tasks.find_files import find_files
from tasks.notmnist import FILES, SHA256, recorded_sums

CONTENT = np.random.default_rng(0).bytes(1_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves files from memory, and does to each answer what `tricks` say, one after another."""

    def __init__(self, files, tricks=()):
        self.files, self.tricks, self.asked = files, list(tricks), []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def answer(self, request):
        """Answer one request."""
        name = request.path.rpartition("/")[2]
        asked = request.headers.get("Range")
        self.asked.append((name, asked))
        trick = self.tricks.pop(0) if self.tricks else "good"
        content = self.files.get(name)
        if isinstance(trick, int) or content is None:
            return send(request, trick if isinstance(trick, int) else 404, b"no", {})
        if trick == "page":
            return send(request, 200, b"<!DOCTYPE html>", {"Content-Type": "text/html"})
        start = int(asked[6:-1]) if asked and trick != "ignores" else 0
        total = len(content)
        if start >= total:
            return send(request, 416, b"", {"Content-Range": f"bytes */{total}"})
        headers = {"Content-Length": str(total - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        body = content[start:]
        if trick == "breaks":
            body = body[: len(body) // 2]
        if trick == "no length":
            del headers["Content-Length"]
        return send(request, 206 if start else 200, body, headers)


def send(request, status, body, headers):
    """Send an answer, then close the connection."""
    request.send_response(status)
    for name, value in {"Connection": "close", **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    with contextlib.suppress(ConnectionError):
        request.wfile.write(body)


def fetched(server, path, sha256=DIGEST, check=lambda path: None):
    """Download the file; return what was reported."""
    reports = []
    download(f"{server.url}/file", path, sha256, check, lambda *report: reports.append(report))
    return reports


@pytest.fixture
def path(tmp_path):
    """Where the file goes."""
    return tmp_path / "file"


@pytest.mark.parametrize("tricks", [[], ["no length"]])
def test_a_file_is_downloaded_and_its_progress_reported(path, tricks):
    """With the whole size, where the server says it; nothing else is left."""
    with Server({"file": CONTENT}, tricks) as server:
        reports = fetched(server, path)

    assert path.read_bytes() == CONTENT
    assert reports[-1] == (len(CONTENT), None if tricks else len(CONTENT))
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_what_is_there_is_not_downloaded_again(path):
    """Unless it is not what it should be."""
    with Server({"file": CONTENT}) as server:
        path.write_bytes(CONTENT)
        assert fetched(server, path) == []
        assert server.asked == []
        path.write_bytes(CONTENT[:-1])
        fetched(server, path)

    assert path.read_bytes() == CONTENT


def test_a_download_that_broke_off_goes_on_where_it_stopped(path):
    """Again and again; only what is missing is asked for."""
    with Server({"file": CONTENT}, ["breaks", "breaks"]) as server:
        for _ in range(2):
            with pytest.raises(InterruptedDownloadError, match=r"after [0-9,]+ bytes") as caught:
                fetched(server, path)
            assert "resumes where it stopped" in caught.value.advice
            assert not path.exists()
        reports = fetched(server, path)

    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=500000-", "bytes=750000-"]
    assert reports[-1] == (len(CONTENT), len(CONTENT))


def test_a_server_that_ignores_the_range_sends_all_of_it(path):
    """Which is not appended to what is there."""
    with Server({"file": CONTENT}, ["breaks", "ignores"]) as server:
        with pytest.raises(InterruptedDownloadError):
            fetched(server, path)
        fetched(server, path)

    assert path.read_bytes() == CONTENT


def test_a_part_that_was_whole_already_is_taken(path):
    """As after an end between the last byte and the new name."""
    path.with_name("file.part").write_bytes(CONTENT)
    with Server({"file": CONTENT}) as server:
        fetched(server, path)

    assert path.read_bytes() == CONTENT
    assert server.asked == [("file", f"bytes={len(CONTENT)}-")]


def test_a_part_that_is_longer_than_the_file_is_begun_anew(path):
    """It was of another file."""
    path.with_name("file.part").write_bytes(CONTENT + b"more")
    with Server({"file": CONTENT}) as server:
        with pytest.raises(InterruptedDownloadError, match="not the beginning of this file"):
            fetched(server, path)
        fetched(server, path)

    assert path.read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(path):
    """Also where the part of another file was gone on with; the next time all is asked for."""
    path.with_name("file.part").write_bytes(b"x" * 1000)
    with Server({"file": CONTENT}) as server:
        with pytest.raises(PipelineError, match=f"expected {DIGEST}") as caught:
            fetched(server, path)
        assert "download it afresh" in caught.value.advice
        assert list(path.parent.iterdir()) == []
        fetched(server, path)

    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("body", [b"\n<html>no such file</html>", b"<!DOCTYPE html>"])
@pytest.mark.parametrize("tricks", [[], ["page"]])
def test_a_web_page_is_called_one(path, body, tricks):
    """Whether the server says so or not; with the advice that helps on GitHub."""
    with (
        Server({"file": body}, tricks) as server,
        pytest.raises(PipelineError, match="a web page arrived") as caught,
    ):
        fetched(server, path, None)

    assert "`raw`, not of `blob`" in caught.value.advice
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("tricks", [["breaks", "page"], ["breaks", 404], ["breaks", 503]])
def test_what_has_arrived_survives_a_refusal(path, tricks):
    """A page that asks to log in, a file that is gone for a while."""
    with Server({"file": CONTENT}, tricks) as server:
        for _ in tricks:
            with pytest.raises(PipelineError):
                fetched(server, path)
        fetched(server, path)

    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == ("file", "bytes=500000-")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, PipelineError), (403, PipelineError), (500, InterruptedDownloadError),
     (503, InterruptedDownloadError), (429, InterruptedDownloadError)],
)  # fmt: skip
def test_a_refusal_of_the_server_is_quoted(path, status, kind):
    """Whether it may pass decides about another try."""
    with Server({}, [status]) as server, pytest.raises(PipelineError, match=str(status)) as caught:
        fetched(server, path)

    assert type(caught.value) is kind
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/file", "file", "http://"])
def test_an_address_that_is_none_is_refused(path, url):
    """Before anything is asked."""
    with pytest.raises(PipelineError, match="--url"):
        download(url, path, None, lambda path: None, lambda *report: None)
    assert list(path.parent.iterdir()) == []


def test_a_server_that_is_not_there_may_come_back(path):
    """So the error is one for another try."""
    with Server({}) as server:
        url = server.url
    with pytest.raises(InterruptedDownloadError):
        download(f"{url}/file", path, None, lambda path: None, lambda *report: None)


def test_a_stream_without_end_is_cut(path, monkeypatch):
    """Before it fills the disk."""
    monkeypatch.setattr(downloads, "MOST", 300_000)
    with Server({"file": CONTENT}) as server, pytest.raises(PipelineError, match="sends more than"):
        fetched(server, path)

    assert list(path.parent.iterdir()) == []


def test_two_processes_do_not_write_one_file(path):
    """The second one says so."""
    import fcntl

    with path.with_name("file.part").open("ab") as held, Server({"file": CONTENT}) as server:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InterruptedDownloadError, match="another process"):
            fetched(server, path)


def idx(array) -> bytes:
    """Write an array of bytes as gzipped IDX."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), 1, mtime=0)


@pytest.fixture(scope="module")
def published():
    """Four files of the form of the published ones, with other images."""
    files = {}
    for split, count in (("train", 60_000), ("t10k", 10_000)):
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), 10:20, np.arange(count) % 28] = 255
        files[f"{split}-images-idx3-ubyte.gz"] = idx(images)
        files[f"{split}-labels-idx1-ubyte.gz"] = idx((np.arange(count) % 10).astype(np.uint8))
    return files


def record(folder, files, names):
    """Write the sha256 of some files beside them, as `sha256sum` does."""
    folder.mkdir(exist_ok=True)
    (folder / "SHA256SUMS").write_text(
        "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names)
    )


@pytest.mark.slow
def test_notmnist_is_fetched_verified_and_recorded(published, run_flow, tmp_path):
    """Through a connection that breaks twice; `--data` takes the folder, and a second run asks for
    nothing."""
    out = tmp_path / "notmnist"
    record(out, published, SHA256)  # of the two whose published content is known
    with Server(published, ["breaks", "breaks"]) as server:
        done = run_flow("fetch", "--output", out, "--url", f"{server.url}/")
        asked = list(server.asked)
        again = run_flow("fetch", "--output", out, "--url", server.url)
        assert server.asked == asked

    assert done.returncode == again.returncode == 0, done.stderr
    assert [bool(part) for _, part in asked] == [False, True, True, False, False, False]
    assert "train-images-idx3-ubyte.gz: " in done.stdout + done.stderr
    assert {name: (out / name).read_bytes() for name in published} == published
    assert recorded_sums(out) == {
        name: hashlib.sha256(content).hexdigest() for name, content in published.items()
    }
    assert set(find_files(out)) == {"train_data", "train_labels", "test_data", "test_labels"}


@pytest.mark.long
def test_other_content_than_published_is_refused_and_can_be_recorded(published, run_flow, tmp_path):
    """The advice of the message: write the new sha256 into the record."""
    out = tmp_path / "notmnist"
    with Server(published) as server:
        refused = run_flow("fetch", "--output", out, "--url", server.url)
        assert refused.returncode == 1
        assert SHA256["t10k-images-idx3-ubyte.gz"] in refused.stderr
        assert "write the new sha256 into SHA256SUMS" in refused.stderr
        assert not list(out.glob("t10k*"))
        record(out, published, SHA256)
        done = run_flow("fetch", "--output", out, "--url", server.url)

    assert done.returncode == 0, done.stderr


def test_a_wrong_address_is_one_line_and_no_traceback(published, run_flow, tmp_path):
    """As of GitHub's pages about a file."""
    with Server(published, ["page"]) as server:
        done = run_flow("fetch", "--output", tmp_path / "out", "--url", server.url)

    assert done.returncode == 1
    assert "a web page arrived instead of the file" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_form_are_not_accepted(published, name, tmp_path):
    """Counts, sizes, checksums; each file is looked at to its end."""
    good, path = published[name], tmp_path / name
    path.write_bytes(good)
    FILES[name](path)
    raw = gzip.decompress(good)
    for bad in (good[:-9], gzip.compress(raw[:-1]), gzip.compress(raw + b"\0"), raw[:3],
                published[next(other for other in published if other != name)]):  # fmt: skip
        path.write_bytes(bad)
        with pytest.raises(PipelineError):
            FILES[name](path)


def test_a_damaged_record_is_refused(tmp_path):
    """By its row; removing it works."""
    (tmp_path / "SHA256SUMS").write_text("0123  t10k-images-idx3-ubyte.gz\n")

    with pytest.raises(PipelineError, match="SHA256SUMS, row 1"):
        recorded_sums(tmp_path)
    (tmp_path / "SHA256SUMS").unlink()
    assert recorded_sums(tmp_path) == SHA256
