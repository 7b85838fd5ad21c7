"""Files that other tools compressed, once or twice, whole or damaged, are read as streams."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zipfile

import pyarrow as pa
import pytest

from tasks.formats.compression import described, kind, opened, zip_names
from tasks.formats.errors import DataError
from tests.support import HOME

CONTENT = b"".join(b"%d,%d,%d\n" % (row, row * row % 251, row % 17) for row in range(40_000))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    """Compress with zstd."""
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


PACK = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": lambda content: zipped({"train.csv": content}),
}


def content_of(path):
    """Read a file in parts, as readers do."""
    with opened(path) as file:
        return b"".join(iter(lambda: file.read(100_000), b""))


@pytest.fixture
def path(tmp_path):
    """A file whose name says nothing of what is in it."""
    return tmp_path / "file.csv"


def test_a_plain_file_is_read_as_it_is(path):
    """Whatever its name says."""
    path.write_bytes(CONTENT)

    assert content_of(path) == CONTENT
    assert kind(path) == ()
    assert described("CSV", path) == "CSV"


@pytest.mark.parametrize("packed", PACK)
def test_what_a_file_is_wrapped_in_is_told_by_its_content(path, packed):
    """And its content is that of the plain file, to the byte, also line by line."""
    path.write_bytes(PACK[packed](CONTENT))

    assert kind(path) == (packed,)
    assert described("CSV", path) == f"CSV, {packed}"
    assert content_of(path) == CONTENT
    with opened(path) as file:
        assert file.peek(5)[:5] == CONTENT[:5]
        assert list(file) == CONTENT.splitlines(keepends=True)


@pytest.mark.parametrize("outer", [name for name in PACK if name != "zip"])
@pytest.mark.parametrize("inner", [name for name in PACK if name != "zip"])
def test_what_was_compressed_twice_is_decompressed_twice(path, outer, inner):
    """As browsers and scripts leave it."""
    path.write_bytes(PACK[outer](PACK[inner](CONTENT)))

    assert kind(path) == (outer, inner)
    assert content_of(path) == CONTENT


def test_a_compressed_file_in_a_zip_archive_is_read(path):
    """As downloads of single files are."""
    path.write_bytes(zipped({"train.csv.gz": gzip.compress(CONTENT)}))

    assert kind(path) == ("zip", "gzip")
    assert content_of(path) == CONTENT


@pytest.mark.parametrize("packed", ["gzip", "bz2", "xz", "zstd"])
def test_files_that_were_appended_to_each_other_are_read_to_the_end(path, packed):
    """`cat a.gz b.gz` is a valid file; stopping after its first part would lose images."""
    path.write_bytes(PACK[packed](CONTENT[:50_000]) + PACK[packed](CONTENT[50_000:]))

    assert content_of(path) == CONTENT


@pytest.mark.parametrize("packed", PACK)
def test_a_file_cut_short_is_refused(path, packed):
    """With its name and what to do; nothing that was read before counts as all of it."""
    path.write_bytes(PACK[packed](CONTENT)[:-30])

    with pytest.raises(DataError) as caught:
        content_of(path)
    assert str(path) in caught.value.problem
    assert f"compressed ({packed})" in caught.value.problem
    assert caught.value.advice == "Copy or download it again, whole."
    path.write_bytes(PACK[packed](CONTENT))  # that is what the advice leads to
    assert content_of(path) == CONTENT


@pytest.mark.parametrize("packed", ["gzip", "bz2", "xz", "zip"])
@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_damaged_file_is_refused(path, packed, place):
    """One byte changed; checksums find what decompression does not."""
    content = bytearray(PACK[packed](CONTENT))
    content[int(place * len(content))] ^= 0x55
    path.write_bytes(content)

    with pytest.raises(DataError, match="cut short or damaged"):
        content_of(path)


def test_zeros_between_and_behind_the_streams_of_xz_belong_to_the_format(path):
    """Its specification calls them stream padding."""
    path.write_bytes(
        lzma.compress(CONTENT[:50_000]) + bytes(8) + lzma.compress(CONTENT[50_000:]) + bytes(400)
    )

    assert content_of(path) == CONTENT


def test_what_asks_for_much_memory_is_refused(path):
    """The dictionary of xz may have up to 4 GB; decompressing by hand is a step that works."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 29}]
    path.write_bytes(lzma.compress(CONTENT, filters=filters))

    with pytest.raises(DataError, match="too much memory") as caught:
        content_of(path)
    assert "unxz" in caught.value.advice
    path.write_bytes(lzma.decompress(path.read_bytes()))
    assert content_of(path) == CONTENT


@pytest.mark.parametrize("packed", ["gzip", "bz2", "xz", "zstd"])
def test_something_behind_the_end_is_damage(path, packed):
    """As in a file that was written over a longer one."""
    path.write_bytes(PACK[packed](CONTENT) + b"\x01rest of another file")

    with pytest.raises(DataError, match="cut short or damaged"):
        content_of(path)


def test_the_one_useful_file_of_an_archive_is_read(path):
    """Beside what systems and authors add."""
    path.write_bytes(
        zipped({
            "README.md": b"# digits", "LICENSE": b"MIT", "digits/.DS_Store": b"\0",
            "__MACOSX/digits/._train.csv": b"\0", "digits/": b"", "digits/train.csv": CONTENT,
        })
    )  # fmt: skip

    assert content_of(path) == CONTENT
    assert zip_names(path)[-1] == "digits/train.csv"


def test_of_several_files_none_is_chosen_in_silence(path, tmp_path):
    """They are named, and unpacking the archive is a step that works."""
    path.write_bytes(zipped({"mnist_train.csv": CONTENT, "mnist_test.csv": CONTENT[:600]}))

    with pytest.raises(DataError, match=r"2 files \(mnist_train\.csv, mnist_test\.csv\)") as caught:
        content_of(path)
    assert "Unpack it (unzip)" in caught.value.advice
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert content_of(tmp_path / "unpacked" / "mnist_train.csv") == CONTENT


def test_an_archive_without_a_file_is_refused(path):
    """Also one that has folders alone."""
    path.write_bytes(zipped({"folder/": b""}))

    with pytest.raises(DataError, match="there is no file in it"):
        content_of(path)


def test_an_encrypted_archive_is_refused_in_words(path):
    """The flag is all that says so; the content would look damaged."""
    content = bytearray(zipped({"train.csv": CONTENT}))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    path.write_bytes(content)

    with pytest.raises(DataError, match="encrypted") as caught:
        content_of(path)
    assert "password" in caught.value.advice


def test_a_compressed_archive_is_to_be_decompressed_once(path):
    """An archive's list of files is at its end, where a stream is last."""
    archive = zipped({"train.csv": CONTENT})
    path.write_bytes(gzip.compress(archive))

    with pytest.raises(DataError, match="zip archive that was compressed once more"):
        content_of(path)
    path.write_bytes(archive)
    assert content_of(path) == CONTENT


def test_what_is_wrapped_without_end_is_refused(path):
    """A few layers are a mistake; many are made to keep a reader busy."""
    content = CONTENT
    for _ in range(4):
        content = gzip.compress(content)
    path.write_bytes(content)

    with pytest.raises(DataError, match="compressed more than 3 times"):
        content_of(path)
    path.write_bytes(gzip.decompress(content))
    assert content_of(path) == CONTENT


def bomb(path) -> None:
    """Write a gzip file of a million bytes that expands to 1.2e9."""
    path.write_bytes(gzip.compress(bytes(1 << 24)) * 70)


def test_a_bomb_is_refused_before_it_has_expanded(path):
    """In little memory, which a process of its own shows; the message says how to go on."""
    bomb(path)
    shown = subprocess.run(
        [sys.executable, "-c",
         "import sys, re, pathlib\n"
         "from tasks.formats.compression import opened\n"
         "from tasks.formats.errors import DataError\n"
         "try:\n"
         "    with opened(pathlib.Path(sys.argv[1])) as file:\n"
         "        while file.read(1 << 20): pass\n"
         "except DataError as error:\n"
         "    print(error)\n"
         "peak = re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())\n"
         "print(int(peak[1]) >> 10)", path],
        capture_output=True, text=True, cwd=HOME, timeout=200, check=True,
    )  # fmt: skip
    *message, megabytes = shown.stdout.splitlines()

    assert "expands to more than 1.1 GB" in message[0]
    assert "decompress it and give what comes out" in message[0]
    assert int(megabytes) < 300


def test_an_archive_of_countless_files_is_refused_unread(path):
    """Their list alone would fill the memory."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(70_000):
            archive.writestr(f"{number:0100d}.png", b"")

    with pytest.raises(DataError, match="too many files"):
        content_of(path)


@pytest.mark.parametrize("content", [b"", b"\x1f", b"PK", b"\x1f\x8b", b"PK\x03\x04", b"BZh9"])
def test_what_is_too_short_to_be_anything_is_plain_or_damaged(path, content):
    """Never a traceback."""
    path.write_bytes(content)
    try:
        found = content_of(path)
    except DataError as error:
        assert "cut short or damaged" in error.problem
    else:
        assert found == content
