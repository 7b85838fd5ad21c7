"""Denoising the user's own files with a network that a real run has trained."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from autoencoders.errors import PipelineError
from flows.denoise import denoise
from flows.networks import choose_run
from tasks.engine.errors import DamagedError, RunNotFoundError
from tests.support import HOME
from tests.trained import train_denoiser

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def artifacts(prefect_server, tmp_path_factory):
    """The artifacts of a run that has trained a denoiser of images of 12 x 12."""
    return train_denoiser(tmp_path_factory.mktemp("trained"))


def table(rows: int = 20) -> str:
    """Return images of 12 x 12 with labels, a header, semicolons and CRLF."""
    head = ";".join(["label", *(f"p{i}" for i in range(144))])
    pixels = RNG.integers(0, 256, (rows, 144)).tolist()
    body = [";".join(["ABC"[number % 3], *map(str, row)]) for number, row in enumerate(pixels)]
    return "\r\n".join([head, *body]) + "\r\n"


def test_a_folder_of_many_forms_goes_out_as_it_came_in(artifacts, tmp_path):
    """The same files in the same forms, denoised, with a sheet and a record beside them."""
    images = tmp_path / "in"
    (images / "sub").mkdir(parents=True)
    (images / "images.csv").write_bytes(table().encode())
    (images / "labels.csv").write_text("1\n" * 20)
    np.save(images / "array.npy", RNG.random((9, 12, 12), np.float32).astype(">f4"))
    for name, shape in (("a.png", (12, 12)), ("sub/b.png", (30, 50)), ("c.png", (51, 37, 3))):
        Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(images / name)

    done = denoise(images, tmp_path / "out", artifacts=artifacts)

    out = tmp_path / "out"
    names = {str(one.relative_to(out)) for one in out.rglob("*") if one.is_file()}
    assert names == {"images.csv", "labels.csv", "array.npy", "a.png", "sub/b.png", "c.png",
                     "before_after.png", "manifest.json"}  # fmt: skip
    before, after = (
        (folder / "images.csv").read_bytes().split(b"\r\n") for folder in (images, out)
    )
    assert after[0] == before[0]
    assert [row.split(b";")[0] for row in after] == [row.split(b";")[0] for row in before]
    assert after[1] != before[1]
    assert (out / "labels.csv").read_bytes() == (images / "labels.csv").read_bytes()
    array = np.load(out / "array.npy")
    assert (array.dtype, array.shape) == (np.dtype(">f4"), (9, 12, 12))
    assert [Image.open(out / name).size for name in ("sub/b.png", "c.png")] == [(50, 30), (37, 51)]
    assert Image.open(out / "c.png").mode == "RGB"
    assert done.count == 32
    record = json.loads((out / "manifest.json").read_bytes())
    assert record["finished"]
    assert record["files"]["images.csv"]["images"] == 20


def test_what_is_denoised_is_what_the_network_says(artifacts, tmp_path):
    """Pictures come out as `keras.Model.predict` has them, rounded to bytes."""
    import keras

    pixels = RNG.integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    denoise(tmp_path / "a.png", tmp_path / "out", artifacts=artifacts)

    network = keras.saving.load_model(artifacts / "latest" / "models" / "denoiser.keras")
    expected = network.predict(pixels[None, :, :, None] / np.float32(255), verbose=0)[0, :, :, 0]
    found = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.abs(found - 255 * expected).max() <= 0.51


def test_noise_unlike_that_of_the_training_is_warned_about(artifacts, tmp_path):
    """Of images without noise the network makes something else."""
    flat = np.zeros((20, 12, 12), np.uint8)
    flat[:, 3:9, 3:9] = 200
    np.save(tmp_path / "clean.npy", flat)

    done = denoise(tmp_path / "clean.npy", tmp_path / "out", artifacts=artifacts)

    assert done.noise < 0.2
    assert done.trained_noise == (0.5, 0.5)
    [warning] = done.warnings
    assert "weaker than what the network was trained for" in warning
    assert "autoencoders run --noise.factor" in warning


def test_a_second_time_replaces_the_first(artifacts, tmp_path):
    """Equal inputs make equal files; another network may be meant by its run, folder or file."""
    Image.fromarray(RNG.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / "a.png")
    run = (artifacts / "latest").resolve()
    models = ["latest", run.name, str(run), str(run / "models" / "denoiser.keras")]

    found = []
    for model in models:
        done = denoise(tmp_path / "a.png", tmp_path / "out", model, artifacts)
        found.append((tmp_path / "out" / "a.png").read_bytes())
        assert done.trained_noise == (0.5, 0.5)

    assert len(set(found)) == 1


def test_nothing_is_written_of_data_that_are_refused(artifacts, tmp_path):
    """The file of the bad value is named with the row, and what was there stays."""
    (tmp_path / "images.csv").write_text("1,2,x,4\n" * 3)

    with pytest.raises(PipelineError, match=r"images\.csv"):
        denoise(tmp_path / "images.csv", tmp_path / "out", artifacts=artifacts)

    assert [one.name for one in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["finished"] is False


def test_noise_beyond_black_and_white_is_refused_with_a_step_that_works(artifacts, tmp_path):
    """Unclipped noise has no usual range; the options in the message clip it."""
    noisy = 0.5 + RNG.normal(0, 1.5, (20, 12, 12))
    np.save(tmp_path / "noisy.npy", noisy)
    with pytest.raises(PipelineError, match="Noise goes beyond") as refused:
        denoise(tmp_path / "noisy.npy", tmp_path / "out", artifacts=artifacts)

    assert '{"image": {"black": 0, "white": 1}, "reading": {"accept": ["outside"]}}' in str(
        refused.value
    )
    settings = {"image": {"black": 0, "white": 1}, "reading": {"accept": ["outside"]}}
    denoise(tmp_path / "noisy.npy", tmp_path / "out", artifacts=artifacts, settings=settings)
    found = np.load(tmp_path / "out" / "noisy.npy")
    assert found.dtype == np.float64
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        ("champion", PipelineError, "there is no champion yet"),
        ("no-such-run", RunNotFoundError, "no finished run of this name"),
        ("{}/empty", PipelineError, "expected the folder of a run"),
        ("{}/broken.keras", PipelineError, "not a network that Keras can load safely"),
    ],
)
def test_a_network_that_is_none_is_refused_in_one_line(artifacts, tmp_path, model, error, said):
    """Before anything is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 no archive")
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "a.png")

    with pytest.raises(error, match=said) as refused:
        denoise(tmp_path / "a.png", tmp_path / "out", model.format(tmp_path), artifacts)

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_without_a_run_it_says_how_to_get_one(artifacts, tmp_path):
    """In a folder that has none, or that is not there."""
    with pytest.raises(PipelineError, match=r"no finished run.*`autoencoders run`"):
        choose_run("latest", tmp_path / "none")


def test_a_network_that_was_changed_is_not_used(artifacts, tmp_path):
    """Neither that of a run, nor that of a copy of one."""
    shutil.copytree(artifacts, tmp_path / "a", symlinks=True)
    run = (tmp_path / "a" / "latest").resolve()
    shutil.copytree(run, tmp_path / "saved")
    for path in ((run / "models" / "denoiser.keras").resolve(),
                 tmp_path / "saved" / "models" / "denoiser.keras"):  # fmt: skip
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")

    for model in ("latest", str(tmp_path / "saved")):
        with pytest.raises(DamagedError, match=r"denoiser\.keras"):
            choose_run(model, tmp_path / "a")


def command(artifacts, images, output, *options) -> list[str]:
    """Return the command that denoises a file."""
    script = HOME / "flows" / "denoise.py"
    given = ("--input", images, "--output", output, "--artifacts", artifacts, *options)
    return [sys.executable, *map(str, (script, *given))]


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_file_and_is_completed_by_the_next(
    artifacts, tmp_path, server_environment
):
    """Killed while it writes: no file has its final name; the same command writes all of it."""
    images = tmp_path / "images.csv"
    images.write_text(table(40_000), newline="")
    process = subprocess.Popen(
        command(artifacts, images, tmp_path / "out"), env=server_environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "images denoised" in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = sorted(one.name for one in (tmp_path / "out").iterdir())
    done = subprocess.run(
        command(artifacts, images, tmp_path / "out"), env=server_environment, capture_output=True,
        text=True,
    )  # fmt: skip

    assert left == [".images.csv.part", "manifest.json"]
    assert done.returncode == 0, done.stderr
    assert "40,000 images denoised" in done.stdout
    rows = (tmp_path / "out" / "images.csv").read_bytes().split(b"\r\n")
    assert len(rows) == 40_002
    assert {row.count(b";") for row in rows[:-1]} == {144}
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "before_after.png", "images.csv", "manifest.json",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_memory_does_not_grow_with_the_number_of_images(artifacts, tmp_path, server_environment):
    """Ten times as many images take no more than a little."""
    peaks = []
    for rows in (10_000, 100_000):
        images = tmp_path / f"{rows}.csv"
        images.write_text(table(rows), newline="")
        measured = (
            "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
            "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", measured, *command(artifacts, images, tmp_path / str(rows))],
            env=server_environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))

    assert peaks[1] < 1.3 * peaks[0]
