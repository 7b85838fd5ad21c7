"""Drawing a data set from fonts; matplotlib brings some that are always there."""

import gzip
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import ImageFont

from autoencoders.errors import PipelineError
from autoencoders.images.glyphs import DRAWN_SIZE, draw_letter
from tasks.draw_glyphs import split_typefaces
from tasks.engine.files import reference
from tasks.engine.handles import ArtifactRef
from tasks.find_files import find_files
from tasks.formats.fonts import find_fonts, survey
from tests.support import HOME, states

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


def references(folder: Path) -> list[ArtifactRef]:
    """Return a reference to every font below a folder."""
    return [reference(path) for path in find_fonts(folder)]


def test_the_survey_counts_what_it_leaves_out(fonts):
    """Broken files, symbol fonts and copies draw no letters of their own; the rest is found."""
    found = survey(references(fonts))

    assert found.broken == 1
    assert found.copies >= 1
    assert found.symbols >= 4  # STIX sizes and Computer Modern's extension have no letters
    assert {"dejavu sans", "stixgeneral"} <= {face.typeface for face in found.faces}


def test_no_typeface_is_in_both_splits(fonts):
    """Bold and italic go where their typeface goes; both splits get some."""
    shares = split_typefaces(survey(references(fonts)).faces, 600, 100, seed=0)
    train, test = ({face.typeface for face in shares[split]} for split in ("train", "test"))

    assert train
    assert test
    assert not train & test


@pytest.fixture(scope="module")
def drawn(fonts, tmp_path_factory, server_environment):
    """Draw a data set; return its folder, beside which are the artifacts, and the log."""
    folder = tmp_path_factory.mktemp("drawn")
    return folder / "out", draw(fonts, folder / "out", folder / "artifacts", server_environment)


def draw(fonts: Path, out: Path, artifacts: Path, environment: dict[str, str]) -> str:
    """Run the flow as a user does; return its log."""
    result = subprocess.run(
        [sys.executable, HOME / "flows" / "glyphs.py", "--fonts", fonts, "--train", "200",
         "--test", "40", "--out", out, "--artifacts", artifacts],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_drawn_data_set_has_the_form_of_the_main_jobs_input(drawn):
    """Four files; balanced letters of 28 x 28 bytes."""
    out, log = drawn
    rows = gzip.decompress((out / "train_data.csv.gz").read_bytes()).decode().splitlines()
    labels = np.loadtxt(out / "train_lables.csv", dtype=int)

    assert set(find_files(out)) == {"train_data", "train_labels", "test_data", "test_labels"}
    assert {len(row.split(",")) for row in rows} == {784}
    assert np.bincount(labels).tolist() == [20] * 10
    assert "skipped: 1 broken" in log


@pytest.mark.slow
def test_the_same_fonts_give_the_same_bytes(drawn, fonts, tmp_path, server_environment):
    """Wherever they are and whatever they are called, also when nothing is cached."""
    out, _ = drawn
    (tmp_path / "fonts").mkdir()
    for number, path in enumerate(sorted(fonts.iterdir(), reverse=True)):
        (tmp_path / "fonts" / f"{number}.ttf").symlink_to(path)
    log = draw(tmp_path / "fonts", tmp_path / "out", tmp_path / "artifacts", server_environment)

    assert states(log) == {"draw glyphs": "Completed"}
    assert files(tmp_path / "out") == files(out)


def test_the_same_fonts_are_not_drawn_again(drawn, fonts, tmp_path, server_environment):
    """The files come from the cache; a folder that lost some gets them back."""
    out, _ = drawn
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test_labels.csv").write_text("edited\n")
    log = draw(fonts, tmp_path / "out", out.parent / "artifacts", server_environment)

    assert states(log) == {"draw glyphs": "Cached"}
    assert files(tmp_path / "out") == files(out)


def test_a_drawn_data_set_is_not_the_latest_run(drawn):
    """`latest` stays with the main job, whose metrics people look for there."""
    out, _ = drawn
    artifacts = out.parent / "artifacts"

    assert list((artifacts / "runs").iterdir())
    assert not (artifacts / "latest").exists()


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
    """The error counts what was there; a folder without any font file is one too."""
    with pytest.raises(PipelineError, match=r"no \.ttf or \.otf file"):
        find_fonts(tmp_path)
    (tmp_path / "broken.otf").write_bytes(b"")
    with pytest.raises(PipelineError, match="1 are broken"):
        survey(references(tmp_path))


def test_the_shipped_sample_is_what_its_readme_says():
    """6,000 and 1,000 balanced rows in at most 4 MB."""
    sample = HOME / "data" / "sample"
    labels = {
        role: np.loadtxt(path, dtype=int)
        for role, path in find_files(sample).items()
        if role.endswith("labels")
    }

    assert np.bincount(labels["train_labels"]).tolist() == [600] * 10
    assert np.bincount(labels["test_labels"]).tolist() == [100] * 10
    assert sum(path.stat().st_size for path in sample.iterdir()) < 4e6
