"""Draw a data set of letters A-J in notMNIST's manner from the fonts of a folder.

Run it with `python flows/glyphs.py --fonts DIR --train 60000 --test 10000 --out DIR`.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows.advice import REFUSALS
from flows.by_hand import job
from flows.ops.machine import operations
from flows.options import ARTIFACTS, Artifacts, run_command
from tasks.draw_glyphs import draw_glyphs
from tasks.engine.refusals import telling
from tasks.engine.runs import Run
from tasks.engine.store import Store
from tasks.formats.fonts import find_fonts

Count = Annotated[int, Parameter(validator=Number(gte=1))]


@job(name="glyphs")
def glyphs(
    fonts: Path,
    out: Path,
    train: int = 60_000,
    test: int = 10_000,
    seed: int = 0,
    artifacts: Path = ARTIFACTS,
) -> None:
    """Draw train and test images, no typeface in both; the same bytes for the same fonts.

    Args:
        fonts: Folder whose .ttf and .otf files, at any depth, are drawn.
        out: Folder that gets the four files.
        train: Number of train images.
        test: Number of test images.
        seed: Seed of the split, of slants and weights, and of the order.
        artifacts: Folder for all results; what is there already is reused.
    """
    store = Store(artifacts)
    settings = {"train": train, "test": test, "seed": seed}
    with telling(REFUSALS), Run(store, settings, _files(fonts), operations()) as run:
        # By content, so that it does not matter where the fonts lie and what their files are called
        ordered = {ref.sha256: ref for ref in sorted(run.data.values(), key=lambda ref: ref.sha256)}
        drawn = run.step(
            "draw glyphs", draw_glyphs, fonts=ordered, train=train, test=test, seed=seed
        )
        for name, ref in drawn.files.items():
            store.export(ref, out / name)
        run.publish(drawn.files, latest=False)


def _files(fonts: Path) -> dict[str, Path]:
    return {f"font {index}": path for index, path in enumerate(find_fonts(fonts), start=1)}


app = App(name="glyphs", help=__doc__)


@app.default
def main(
    *,
    fonts: Path,
    out: Path,
    train: Count = 60_000,
    test: Count = 10_000,
    seed: int = 0,
    artifacts: Artifacts = ARTIFACTS,
) -> None:
    """Draw the images.

    Args:
        fonts: Folder whose .ttf and .otf files, at any depth, are drawn.
        out: Folder that gets the four files.
        train: Number of train images.
        test: Number of test images.
        seed: Seed of the split, of slants and weights, and of the order.
        artifacts: Folder for all results; what is there already is reused.
    """
    glyphs(fonts, out, train, test, seed, artifacts)
    print(f"{train:,} train and {test:,} test images are in {out.absolute()}")


if __name__ == "__main__":
    run_command(app)
