"""Networks exported for other runtimes, and used there."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from prefect.client.orchestration import get_client

from autoencoders.errors import PipelineError
from flows.export import export
from tests.trained import train_denoiser


@pytest.fixture(scope="module")
def artifacts(prefect_server, tmp_path_factory):
    """The artifacts of a run that has trained a denoiser."""
    return train_denoiser(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def exported(artifacts, tmp_path_factory):
    """An export to ONNX."""
    return export(tmp_path_factory.mktemp("export") / "new" / "out", "onnx", artifacts=artifacts)


def rows(folder: Path) -> dict[str, dict]:
    """Return how each file compares, by its name."""
    found = json.loads((folder / "manifest.json").read_bytes())["files"]
    return {one["name"]: one for one in found}


def fresh(folder: Path) -> Path:
    """Return a Python with our libraries, but with nothing of ours."""
    venv.create(folder)
    [place] = folder.glob("lib/python*/site-packages")
    libraries = next(one for one in sys.path if one.endswith("site-packages"))
    (place / "libraries.pth").write_text(f"{libraries}\n")
    python = folder / "bin" / "python"
    ours = subprocess.run([python, "-I", "-c", "import flows"], capture_output=True, text=True)
    assert "No module named 'flows'" in ours.stderr
    return python


def test_every_file_is_compared_and_described(exported):
    """In float32 to 1e-4 at most; of int8, what it loses; the card names all of it."""
    found = rows(exported)

    assert set(found) == {"denoiser.keras", "denoiser.onnx", "denoiser.int8.onnx"}
    assert found["denoiser.onnx"]["error"] <= 1e-4
    assert found["denoiser.int8.onnx"]["loss"] is not None
    assert found["denoiser.int8.onnx"]["size"] < found["denoiser.onnx"]["size"] / 2
    card = (exported / "README.md").read_text()
    assert all(name in card for name in found)
    assert "Gaussian noise of factor 0.5" in card
    assert "licence of the data: not recorded" in card


def test_the_program_beside_it_needs_nothing_of_ours(exported, tmp_path):
    """It is that of the card, and restores the example as Keras does."""
    program = (exported / "example.py").read_text()
    done = subprocess.run(
        [fresh(tmp_path / "python"), "-I", exported / "example.py"], cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert program in (exported / "README.md").read_text()
    assert float(done.stdout.partition(":")[2]) < 1e-4


def test_the_run_is_called_by_what_it_does(exported):
    """Among other runs in Prefect's list."""
    with get_client(sync_client=True) as client:
        names = {run.name for run in client.read_flow_runs()}

    assert "latest as onnx" in names


def test_the_example_is_what_keras_computes(exported, artifacts):
    """An image of the test images, and the network's answer."""
    import keras

    example = json.loads((exported / "denoiser.example.json").read_bytes())
    network = keras.saving.load_model(artifacts / "latest" / "models" / "denoiser.keras")
    image = np.array(example["image"], np.float32).reshape(1, *example["shape"])

    restored = network.predict(image, verbose=0).ravel()
    assert np.abs(restored - np.array(example["restored"])).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "torch"}, "expected some of onnx, litert, saved_model"),
        ({"format": " , "}, "expected some of"),
        ({"model": "champion"}, "there is no champion yet"),
    ],
)
def test_what_cannot_be_exported_is_refused(artifacts, tmp_path, options, said):
    """Before there is any folder."""
    with pytest.raises(PipelineError, match=said):
        export(tmp_path / "out", artifacts=artifacts, **options)

    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_replaced(exported, artifacts):
    """The export that is there stays as it is."""
    with pytest.raises(PipelineError, match="already exists and is not an empty folder"):
        export(exported, artifacts=artifacts)

    assert (exported / "denoiser.onnx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["litert", "saved_model"])
def test_other_formats_are_compared_and_used_too(artifacts, tmp_path, form):
    """LiteRT in float32 and int8, SavedModel; each with its own program."""
    folder = export(tmp_path / "out", form, artifacts=artifacts)

    found = rows(folder)
    names = {"litert": {"denoiser.tflite", "denoiser.int8.tflite"},
             "saved_model": {"saved_model/denoiser"}}  # fmt: skip
    assert set(found) == {"denoiser.keras"} | names[form]
    done = subprocess.run(
        [fresh(tmp_path / "python"), "-I", folder / "example.py"], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert float(done.stdout.rpartition(":")[2]) < 1e-4
