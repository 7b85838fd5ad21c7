"""What ingest takes for the same images in every form that it knows, beside what reads each form in
a notebook."""

import gzip
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests import forms as known
from tests.bench.stages import in_a_process
from tests.bench.tools import Table

SIDE = 28
EACH = {"train": 2_500, "test": 500}
"""Images of a class, of which there are four."""


def ingest_form(data: Path, number: int) -> None:
    """Run the stage on what was written in a form."""
    known.ingested(data, reading=known.FORMS[number].reading)


def with_pandas(place: Path, **options: Any) -> None:
    """Read every table of text; pandas is told the form."""
    import pandas as pd

    for file in sorted(place.iterdir()):
        pd.read_csv(file, **{"header": None, **options})


def hexadecimal(place: Path) -> None:
    """Read hexadecimal numbers, which pandas takes for text."""
    import pandas as pd

    for file in sorted(place.iterdir()):
        table = pd.read_csv(file, header=None, dtype=str)
        table.map(partial(int, base=16)).to_numpy(np.uint8)


def in_one_cell(place: Path) -> None:
    """Read numbers that stand in one cell, as notebooks on FER-2013 do."""
    import pandas as pd

    for file in sorted(place.iterdir()):
        cells = pd.read_csv(file)["pixels"]
        np.stack([np.array(cell.split(), np.uint8) for cell in cells])


def with_parquet(place: Path) -> None:
    """Read tables of columns."""
    import pandas as pd

    for file in sorted(place.iterdir()):
        pd.read_parquet(file)


def pictures_in_parquet(place: Path) -> None:
    """Decode the pictures in tables."""
    import pandas as pd
    from PIL import Image

    for file in sorted(place.iterdir()):
        cells = pd.read_parquet(file)["image"]
        np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"]))) for cell in cells])


def with_pillow(place: Path) -> None:
    """Decode pictures one after the other."""
    from PIL import Image

    np.stack([np.asarray(Image.open(file)) for file in sorted(place.rglob("*.png"))])


def with_scipy(place: Path) -> None:
    """Read files of Weka."""
    import pandas as pd
    from scipy.io import arff

    for file in sorted(place.iterdir()):
        pd.DataFrame(arff.loadarff(file)[0])


def with_numpy(place: Path) -> None:
    """Read arrays: IDX, .npy, or an archive of them."""
    for file in [place] if place.is_file() else sorted(place.iterdir()):
        if file.suffix in {".npz", ".npy"}:
            found = np.load(file)
            [found[name] for name in found] if file.suffix == ".npz" else found
        else:
            content = file.read_bytes()
            np.frombuffer(gzip.decompress(content) if file.suffix == ".gz" else content, np.uint8)


READERS: dict[str, Callable[[Path], None] | None] = {
    "zstd": None,  # pandas needs a package for it that nothing else here needs
    "semicolons": partial(with_pandas, sep=";"),
    "tabs": partial(with_pandas, sep="\t"),
    "spaces": partial(with_pandas, sep=" "),
    "pipes": partial(with_pandas, sep="|"),
    "comments on top": partial(with_pandas, comment="#"),
    "header pixel0, pixel1, …": partial(with_pandas, header=0),
    "hexadecimal": hexadecimal,
    "label first, a header of names (mnist_train.csv)": partial(with_pandas, header=0),
    "pixels of an image in one cell (FER-2013)": in_one_cell,
    "IDX (train-images-idx3-ubyte)": with_numpy,
    "IDX, gzipped": with_numpy,
    "one .npz (Keras's mnist.npz)": with_numpy,
    "a .npy per file, floats": with_numpy,
    "Parquet, a column per pixel": with_parquet,
    "Parquet in several files, PNG inside (Hugging Face)": pictures_in_parquet,
    "ARFF (OpenML's mnist_784)": with_scipy,
    "PNG in a folder per class, in train and test": with_pillow,
}
"""What reads a form in a notebook where `with_pandas` without options does not."""


def forms(data: Path) -> Table:
    """Measure the whole stage in each form; `data` is not read."""
    known.SIDE = SIDE
    known.SPLITS.update({split: known.images(each) for split, each in EACH.items()})
    count, rows = sum(EACH.values()) * known.CLASSES, []
    for number, form in enumerate(known.FORMS):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            (place := Path(folder) / "data").mkdir()
            written = form.write(place)
            size = sum(one.stat().st_size for one in place.rglob("*") if one.is_file())
            (cpu, wall, peak), _ = in_a_process(
                ingest_form, written, number, library="tasks.ingest"
            )
            theirs = ratio = "-"
            if (reader := READERS.get(form.name, with_pandas)) is not None:
                (their_cpu, _, _), _ = in_a_process(reader, written, library="pandas")
                theirs, ratio = f"{their_cpu:.2f}", f"{cpu / their_cpu:.2f}"
        rows.append([form.name, f"{size / 1e6:.1f}", f"{cpu:.2f}", f"{wall:.2f}", f"{peak:.0f}",
                     theirs, ratio])  # fmt: skip
    return Table(
        "The same images in every form",
        f"{count:,} images of {SIDE} x {SIDE}; the whole stage `ingest` once: recognised, every "
        "value checked, copies found, written to Parquet (values that are not bytes are read "
        "twice). Beside it, what reads the form in a notebook, which is told what it is and checks "
        "nothing: pandas, or SciPy (ARFF), Pillow (PNG) and NumPy (arrays). Imports not counted.",
        ["form", "MB", "CPU s", "s", "peak MiB", "notebook CPU s", "CPU against it"],
        rows,
    )
