"""Drawing a data set from fonts; matplotlib brings some that are always there."""

import gzip
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import ImageFont

from autoencoders.errors import PipelineError
from autoencoders.glyphs import DRAWN_SIZE, draw_letter
from tasks.draw_glyphs import split_typefaces
from tasks.fonts import survey
from tasks.ingest import find_files
from tests.conftest import HOME

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def fonts(tmp_path_factory):
    """Matplotlib's fonts, one of them twice, and a file that is no font."""
    folder = tmp_path_factory.mktemp("fonts")
    for path in FONTS.glob("*.ttf"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "copy.ttf").write_bytes((FONTS / "DejaVuSans.ttf").read_bytes())
    (folder / "broken.ttf").write_bytes(b"not a font")
    return folder


def test_the_survey_counts_what_it_leaves_out(fonts):
    """Broken files, symbol fonts and copies are no letters; the rest is found."""
    found = survey(fonts)

    assert found.broken == 1
    assert found.copies >= 1
    assert found.symbols >= 4  # STIX sizes and Computer Modern's extension have no letters
    assert {"dejavu sans", "stixgeneral"} <= {face.typeface for face in found.faces}


def test_no_typeface_is_in_both_splits(fonts):
    """Bold and italic of a typeface go where it goes; both splits get some."""
    shares = split_typefaces(survey(fonts).faces, 600, 100, seed=0)
    train, test = ({face.typeface for face in shares[split]} for split in ("train", "test"))

    assert train
    assert test
    assert not train & test


def test_the_same_fonts_give_the_same_bytes(fonts, tmp_path, run_flow):
    """Balanced letters, 28 x 28 bytes, wherever the fonts lie."""
    for name, source in (("a", fonts), ("b", tmp_path / "moved")):
        if name == "b":
            source.symlink_to(fonts)
        result = run_flow(
            "glyphs", "--fonts", source, "--train", 200, "--test", 40, "--out", tmp_path / name
        )
        assert result.returncode == 0, result.stderr
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )

    assert first == second
    assert set(find_files(tmp_path / "a")) == {
        "train_data", "train_labels", "test_data", "test_labels",
    }  # fmt: skip
    rows = gzip.decompress(first["train_data.csv.gz"]).decode().splitlines()
    assert {len(row.split(",")) for row in rows} == {784}
    labels = np.array(first["train_lables.csv"].split(), dtype=int)
    assert np.bincount(labels).tolist() == [20] * 10
    assert "skipped: 1 broken" in result.stdout + result.stderr


def test_a_letter_fills_its_square():
    """The ink is stretched to the box, so every side has ink."""
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", DRAWN_SIZE)
    for slant, weight in ((0, 0), (0.2, 0.5), (-0.2, -0.5)):
        glyph = draw_letter(font, "B", slant, weight)

        assert glyph.shape == (28, 28)
        assert min(glyph[0].max(), glyph[-1].max(), glyph[:, 0].max(), glyph[:, -1].max()) > 0


def test_slant_and_weight_do_what_they_say():
    """A positive slant moves the top to the right; more weight is more ink."""
    font = ImageFont.truetype(FONTS / "DejaVuSans.ttf", DRAWN_SIZE)
    columns = np.arange(28)
    slanted = draw_letter(font, "H", slant=0.25).astype(float)
    top, bottom = (
        (row * columns).sum() / row.sum() for row in (slanted[:9].sum(0), slanted[-9:].sum(0))
    )
    thin, bold = (draw_letter(font, "H", weight=weight).sum(dtype=int) for weight in (-0.5, 0.5))

    assert top > bottom + 2
    assert thin < draw_letter(font, "H").sum(dtype=int) < bold


def test_a_folder_without_letters_is_refused(tmp_path):
    """With the count of what was there."""
    (tmp_path / "broken.otf").write_bytes(b"")

    with pytest.raises(PipelineError, match="1 broken"):
        survey(tmp_path)


def test_the_shipped_sample_is_what_its_readme_says():
    """6,000 and 1,000 balanced rows in at most 4 MB."""
    sample = HOME / "data" / "sample"
    labels = {
        split: np.loadtxt(ref.path, dtype=int)
        for split, ref in find_files(sample).items()
        if split.endswith("labels")
    }

    assert np.bincount(labels["train_labels"]).tolist() == [600] * 10
    assert np.bincount(labels["test_labels"]).tolist() == [100] * 10
    assert sum(path.stat().st_size for path in sample.iterdir()) < 4e6
