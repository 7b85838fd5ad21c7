"""The wheel, in an empty folder of an environment of its own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import HOME

WRONG = "raise SystemExit('a module of the current folder was imported')\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of the commands of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", folder, HOME],
        check=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "python", with_pip=True)
    python = folder / "python" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    [place] = (folder / "python").glob("lib/python*/site-packages")
    libraries = next(one for one in sys.path if one.endswith("site-packages"))
    (place / "zz-libraries.pth").write_text(f"{libraries}\n")  # behind ours
    return python.parent


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_wheel_works_in_an_empty_folder(installed, tmp_path):
    """It trains on the sample that it ships, denoises a picture, and writes into that folder
    alone, also where modules lie that are called like ours."""
    (tmp_path / "flows").mkdir()
    for name in ("flows/__init__.py", "tasks.py", "autoencoders.py"):
        (tmp_path / name).write_text(WRONG)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "some.png")
    [place] = installed.parent.glob("lib/python*/site-packages")
    before = sorted(place.rglob("*"))
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PYTHONPATH", "PREFECT_API_URL")}  # fmt: skip
    environment |= {"PREFECT_HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}

    for command in ("run --preset quick", "denoise --input some.png --output out"):
        subprocess.run(
            [installed / "autoencoders", *command.split()], cwd=tmp_path, env=environment,
            check=True, timeout=900,
        )  # fmt: skip

    assert Image.open(tmp_path / "out" / "some.png").size == (30, 40)
    assert (tmp_path / "artifacts" / "latest" / "models" / "denoiser.keras").is_file()
    assert sorted(place.rglob("*")) == before
    shutil.rmtree(tmp_path / "artifacts")
