"""Files that are no table of images, called by their names, each with a step that works."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tasks.formats.compression import zip_names
from tasks.formats.errors import DataError


class Foreign(NamedTuple):
    """A kind of file that is none of images."""

    what: str
    found: Callable[[bytes], object]
    """Whether a file that begins so, once decompressed, is of this kind."""
    advice: str
    """`{name}` and `{stem}` stand for the file's own."""


def _begins(*magic: bytes) -> Callable[[bytes], object]:
    return lambda beginning: beginning.startswith(magic)


def _matches(pattern: bytes) -> Callable[[bytes], object]:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda beginning: compiled.match(beginning.removeprefix(b"\xef\xbb\xbf").lstrip())


def _is_utf16(beginning: bytes) -> bool:
    """Every second byte of ASCII in UTF-16 is 0."""
    start = beginning[:512]
    halves = start[::2], start[1::2]
    return len(start) > 3 and any(
        not any(one) and all(other) for one, other in (halves, halves[::-1])
    )


def _is_zeros(beginning: bytes) -> bool:
    return len(beginning) >= 64 and not any(beginning[:64])


def _is_binary(beginning: bytes) -> bool:
    """Text has no control characters but those that end lines and pages."""
    start = beginning[:512]
    return len(start) > 3 and 10 * sum(byte < 9 or 13 < byte < 32 for byte in start) > len(start)


SAVED = 'as arrays: numpy.savez("{stem}.npz", x_train=…, y_train=…, x_test=…, y_test=…)'
UTF8 = "iconv -f {code} -t UTF-8 {name} > {stem}.utf8 && mv {stem}.utf8 {name}"
FRAME = (
    "python -c \"import pandas; pandas.read_json('{name}'{options}).to_parquet('{stem}.parquet')\" "
    "&& rm {name}"
)
ARRAY = "numpy.save('{stem}.npy', numpy.array({load}))\" && rm {name}"

KINDS = (
    Foreign("empty", lambda beginning: not beginning, "Expected one row per image. Copy it again."),
    Foreign("a Git LFS pointer, which stands in for the real file",
            _begins(b"version https://git-lfs"),
            "Fetch that file: `git lfs pull`, in the repository that it is from."),
    Foreign("a git-annex pointer, which stands in for the real file",
            _begins(b"/annex/objects/"),
            "Fetch that file: `git annex get {name}`, in the repository that it is from."),
    Foreign("a web page", _matches(rb"<(!doctype|html|head|body|script|!--)"),
            "Download the file itself: on the page, look for the link to the raw file."),
    Foreign("an XML file", _begins(b"<?xml", b"\xef\xbb\xbf<?xml"), "Export its table as CSV."),
    Foreign("a file of zeros only, as an unfinished download leaves it", _is_zeros,
            "Download or copy it again."),
    Foreign("UTF-16 text", _begins(b"\xff\xfe", b"\xfe\xff"),
            "Write it as UTF-8: " + UTF8.replace("{code}", "UTF-16") + "."),
    Foreign("UTF-16 text without a byte order mark", _is_utf16, "Write it as UTF-8: " + UTF8 + "."),
    Foreign("JSON, a value per line", _matches(rb"(\{[^\n]*\}|\[[^\n]*\])\s*\n\s*[\[{]"),
            "Write it as Parquet: " + FRAME.replace("{options}", ", lines=True") + "."),
    Foreign("JSON, a table", _matches(rb"(\[|\{\s*\"[^\"]*\"\s*:)\s*\{"),
            "Write it as Parquet: " + FRAME.replace("{options}", "") + "."),
    Foreign("JSON, values by their names", _matches(rb"\{\s*(\"|\}|$)"),
            "If they are lists of images and labels, write them as arrays: python -c \"import "
            "json, numpy; numpy.savez('{stem}.npz', **json.load(open('{name}')))\" && rm {name}."),
    Foreign("JSON", _matches(rb"\[\s*([\[\"\d.-]|$)"),
            "If it is a list of images, write it as an array: python -c \"import json, numpy; "
            + ARRAY.replace("{load}", "json.load(open('{name}'))") + "."),
    Foreign("LIBSVM's text, with the number of each value before it",
            _matches(rb"[-+]?[0-9.]+(e[-+]?[0-9]+)?([ \t]+[0-9]+:[-+.0-9e]+)+[ \t]*\r?\n"),
            "Write it as arrays, with N the values per image (784 of 28 x 28), since those at its "
            "end are left out where they are 0: python -c \"import numpy, sklearn.datasets; x, y = "
            "sklearn.datasets.load_svmlight_file('{name}', n_features=N); "
            "numpy.savez('{stem}.npz', x=x.toarray(), y=y)\"."),
    Foreign("a Python pickle, which is not opened here, since it may run code",
            _matches(rb"\x80[\x02-\x05]"),
            "If you trust it, open it in Python (pickle.load) and write its arrays " + SAVED + "."),
    Foreign("an HDF5 file", _begins(b"\x89HDF\r\n\x1a\n"),
            "Open it in Python (h5py.File) and write its arrays " + SAVED + "."),
    Foreign("a MATLAB file", _begins(b"MATLAB "),
            "Open it in Python (scipy.io.loadmat, h5py from version 7.3 on) and write its arrays "
            + SAVED + "."),
    Foreign("an old Excel workbook", _begins(b"\xd0\xcf\x11\xe0"), "Save its sheet as CSV."),
    Foreign("an Arrow or Feather file", _begins(b"ARROW1", b"FEA1"),
            "Write it as Parquet: pandas.read_feather('{name}').to_parquet('{stem}.parquet')."),
    Foreign("a tar archive", lambda beginning: beginning[257:262] == b"ustar",
            "Extract it (tar -xf {name}) and give the folder that comes out."),
    Foreign("a RAR archive", _begins(b"Rar!\x1a\x07"),
            "Extract it (unrar x {name}) and give the folder that comes out."),
    Foreign("a 7z archive", _begins(b"7z\xbc\xaf\x27\x1c"),
            "Extract it (7z x {name}) and give the folder that comes out."),
    Foreign("a PDF document", _begins(b"%PDF"), "Give the table that it shows as CSV."),
    Foreign("an SQLite database", _begins(b"SQLite format 3\0"), "Export its table as CSV."),
    Foreign("a single picture",
            _begins(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*"),
            "Give the folder that it is in."),
    Foreign("a PyTorch or TensorFlow file", _begins(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
            "Open it there and write its arrays " + SAVED + "."),
    Foreign("an R data file", _begins(b"RDX2\n", b"RDX3\n", b"RDA"),
            "Write its table as CSV, with write.csv in R."),
    Foreign("an Avro or ORC file", _begins(b"Obj\x01", b"ORC"), "Write it as Parquet."),
    Foreign("a Python program",
            _matches(rb"(#!.*python|import \w|from \w+ import |def \w+\(|\"\"\")"),
            "Give the file of images that it writes or reads."),
    Foreign("data of a form that is not known, no text", _is_binary,
            "If it holds a byte per value and N bytes per image, and nothing else, write it as an "
            "array: python -c \"import numpy; numpy.save('{stem}.npy', numpy.fromfile('{name}', "
            "'uint8').reshape(-1, N))\"; where labels are among them, leave them out: "
            "reshape(-1, N)[:, 1:]."),
)  # fmt: skip
"""The first that fits names the file."""


def refuse_foreign(path: Path, beginning: bytes) -> None:
    """Refuse a file that is known to be something else.

    Args:
        path: The file.
        beginning: Its first bytes, decompressed.

    Raises:
        DataError: If it is.
    """
    for kind in KINDS:
        if kind.found(beginning):
            code = "UTF-16BE" if beginning[:1] == b"\0" else "UTF-16LE"
            texts = {"{name}": path.name, "{stem}": path.name.partition(".")[0], "{code}": code}
            advice = kind.advice
            for word, text in texts.items():
                advice = advice.replace(word, text)
            raise DataError(f"{path}, row 1, column 1: expected images, but this is {kind.what}.",
                            advice)  # fmt: skip


def refuse_office(path: Path) -> None:
    """Refuse a document of an office program, which is a zip archive of many files.

    Raises:
        DataError: If it is one.
    """
    names = zip_names(path)
    if names is not None and "[Content_Types].xml" in names:
        raise DataError(
            f"{path}, row 1, column 1: expected images, but this is an Excel workbook or another "
            "office document.",
            "Save its sheet as CSV, and give that file.",
        )
