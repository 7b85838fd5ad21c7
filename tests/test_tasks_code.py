"""The digest of a stage's code: what it sees, and what it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.code import PACKAGES, code_parts, library_versions, reached
from tests.conftest import HOME

CHILD = "import json; from tasks.code import code_parts; print(json.dumps(code_parts('{}')))"


@pytest.fixture
def copy(tmp_path):
    """A copy of our packages that a test may edit."""
    for package in PACKAGES:
        for path in (HOME / package).glob("*.py"):
            target = tmp_path / package / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def digest(folder: Path, module: str) -> dict[str, str]:
    """Return the code parts of a module as a fresh process sees them in `folder`."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(module)], cwd=folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("path", "old", "new", "changes"),
    [
        ("autoencoders/noise.py", "noisy += images", "noisy += images * 1", {"add_noise"}),
        ("autoencoders/evaluation.py", "12 * 255**2", "12 * 256**2", {"evaluate"}),
        ("autoencoders/figures.py", "CELL = 0.85", "CELL = 0.86", {"render"}),
        ("autoencoders/network.py", "3, padding", "5, padding", {"train"}),
        ("autoencoders/randomness.py", ">> 1", ">> 2", {"train", "add_noise"}),
        ("tasks/npy.py", "[start : start + rows]", "[start : rows + start]",
         {"prepare", "add_noise", "evaluate"}),
        ("tasks/csv_faults.py", "SHOWN = 30", "SHOWN = 31", {"ingest"}),
        ("autoencoders/settings.py", "] = 50", "] = 51", set()),
        ("tasks/runs.py", "| --- |", "|---|", set()),
        ("flows/full.py", "Section", "Section", set()),
    ],
)  # fmt: skip
def test_an_edit_is_seen_by_exactly_the_stages_that_reach_it(copy, path, old, new, changes):
    """Through any number of imports; deferred imports count, type checkers' imports do not."""
    stages = ["ingest", "prepare", "add_noise", "train", "evaluate", "render"]
    before = {stage: digest(copy, f"tasks.{stage}") for stage in stages}
    if path != "flows/full.py":
        edit(copy / path, old, new)
    else:
        (copy / path).write_text((copy / path).read_text() + "\nEXTRA = 1\n")
    after = {stage: digest(copy, f"tasks.{stage}") for stage in stages}

    assert {stage for stage in stages if before[stage] != after[stage]} == changes


def test_comments_docstrings_and_formatting_do_not_count(copy):
    """What does not run cannot change what is written."""
    before = digest(copy, "tasks.add_noise")
    path = copy / "autoencoders" / "noise.py"
    edit(path, '"""Add white Gaussian noise', '"""Add some noise')
    edit(path, "    noisy += images", "    # a comment\n    noisy   +=   (images)")
    edit(path, "import numpy as np\nfrom numpy.typing import NDArray",
         "from numpy.typing import NDArray\nimport numpy as np")  # fmt: skip

    assert digest(copy, "tasks.add_noise") == before


def test_a_changed_constant_is_shown_with_its_value(copy):
    """So that an explanation can say old and new."""
    edit(copy / "autoencoders" / "figures.py", "CELL = 0.85", "CELL = 0.9")

    assert code_parts("tasks.render")["autoencoders.figures:CELL"] == "CELL = 0.85"
    assert digest(copy, "tasks.render")["autoencoders.figures:CELL"] == "CELL = 0.9"


def test_the_libraries_of_a_stage_are_those_it_imports():
    """An update of matplotlib draws figures again and trains nothing."""
    assert library_versions("tasks.render").keys() == {"matplotlib", "numpy", "pandas", "python"}
    assert {"tensorflow", "keras", "numpy"} < library_versions("tasks.train").keys()
    assert "pyarrow" in library_versions("tasks.ingest")
    assert "tensorflow" not in library_versions("tasks.prepare")


def test_nothing_of_ours_is_imported_by_a_computed_name():
    """The digest could not see it. `stage.py` imports only what the digest has found."""
    for package in PACKAGES:
        for path in (HOME / package).glob("*.py"):
            text = path.read_text()
            assert "__import__" not in text, path
            assert path.name == "stage.py" or "import_module" not in text, path


def test_every_stage_reaches_itself_and_what_it_stands_on():
    """The stage's own module, its parents, and the store."""
    modules, _ = reached("tasks.train")

    assert {"tasks.train", "tasks", "tasks.store", "autoencoders.training"} <= set(modules)
    assert not [name for name in modules if name.startswith("flows")]
