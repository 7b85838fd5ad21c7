"""Draw a data set of letters A-J in notMNIST's manner from the fonts of a folder.

Run it with `python flows/glyphs.py --fonts DIR --train 60000 --test 10000 --out DIR`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: this checkout's packages, wherever it is called from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from prefect import flow

from flows.options import run_command
from tasks.draw_glyphs import SPLITS, draw_split, split_typefaces, survey_fonts
from tasks.logs import hide_tracebacks

Count = Annotated[int, Parameter(validator=Number(gte=1))]


@flow(name="glyphs", persist_result=False)
def glyphs(fonts: Path, out: Path, train: int = 60_000, test: int = 10_000, seed: int = 0) -> None:
    """Draw train and test images, no typeface in both; the same bytes for the same fonts.

    Args:
        fonts: Folder whose .ttf and .otf files, at any depth, are drawn.
        out: Folder that gets the four files.
        train: Number of train images.
        test: Number of test images.
        seed: Seed of the split, of slants and weights, and of the order.
    """
    hide_tracebacks()
    found = survey_fonts(fonts)
    shares = split_typefaces(found.faces, train, test, seed)
    for split, count in zip(SPLITS, (train, test), strict=True):
        draw_split(split, shares[split], count, seed, out)


app = App(name="glyphs", help=__doc__)


@app.default
def main(
    *, fonts: Path, out: Path, train: Count = 60_000, test: Count = 10_000, seed: int = 0
) -> None:
    """Draw the images.

    Parameters
    ----------
    fonts
        Folder whose .ttf and .otf files, at any depth, are drawn.
    out
        Folder that gets the four files.
    train
        Number of train images.
    test
        Number of test images.
    seed
        Seed of the split, of slants and weights, and of the order.
    """
    glyphs(fonts, out, train, test, seed)
    print(f"{train:,} train and {test:,} test images are in {out.absolute()}")


if __name__ == "__main__":
    run_command(app)
