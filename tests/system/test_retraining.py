"""Retraining night after night on real letters, as a team would see it: six endings, and back."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flows.champion import CHAMPION, NETWORK, champion_of
from tasks.engine.aliases import Alias
from tasks.engine.journal import run_folder
from tasks.engine.store import Store
from tests.support import HOME, SHARED

SMALL = SHARED / "small"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not SMALL.exists(), reason="the real letters are not on this machine"),
]
PREDICT = """
import hashlib, sys
import numpy as np
from pathlib import Path
from tasks.runtime import import_tensorflow
import_tensorflow(1, print)
from autoencoders.models.fused import predictor
from tasks.formats.keras_files import load_network
images = np.load(sys.argv[2])[:50]
print(hashlib.sha256(predictor(load_network(Path(sys.argv[1])))(images).tobytes()).hexdigest())
"""


def pixels(name: str) -> np.ndarray:
    with gzip.open(SMALL / f"{name}_data.csv.gz") as file:
        return np.loadtxt(file, delimiter=",", dtype=np.uint8)


def written(folder: Path, train: np.ndarray, test: np.ndarray) -> Path:
    """Write a data set of these images with the labels of the real one."""
    folder.mkdir()
    for name, images in (("train", train), ("test", test)):
        np.savetxt(folder / f"{name}_data.csv", images, fmt="%d", delimiter=",")
    shutil.copy(SMALL / "train_lables.csv", folder / "train_labels.csv")
    shutil.copy(SMALL / "test_labels.csv", folder / "test_labels.csv")
    return folder


def predictions(store: Store) -> str:
    """Return the sha256 of what the champion makes of some images."""
    champion = champion_of(store)
    images = run_folder(store, champion.run) / "evidence" / "test.npy"
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, run_folder(store, champion.run) / NETWORK, images],
        cwd=HOME, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()[-1]


@pytest.fixture(scope="module")
def nights(tmp_path_factory, server_environment):
    """Hold all nights, one after the other; return the store, and what each one said."""
    folder = tmp_path_factory.mktemp("nights")
    store, said = Store(folder / "artifacts"), {}

    def night(name: str, data: Path, *options: object, preset: str = "quick") -> None:
        done = subprocess.run(
            [sys.executable, HOME / "flows" / "retrain.py", "--data", data, "--preset", preset,
             "--artifacts", store.root, *map(str, options)],
            env=server_environment, cwd=folder, capture_output=True, text=True, timeout=1800,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        said[name] = done.stdout

    train, test = pixels("train"), pixels("test")
    shuffled = np.random.default_rng(0).permuted(train, axis=1)  # the same ink, no letters
    night("first", SMALL)
    night("nothing new", SMALL)
    night("equal", SMALL, "--seed", 1)
    night("worse", written(folder / "spoilt", shuffled, test))
    night("better", SMALL, preset="fast")
    night("dark on light", written(folder / "inverted", 255 - train, 255 - test))
    night("other noise", SMALL, "--noise.factor", 0.25)
    return store, said


def events(store: Store) -> list[str]:
    return [one.event for one in Alias(store, CHAMPION).decisions()][::-1]


def test_the_first_model_becomes_champion(nights):
    """It beats the noisy images; that it is below a classical method is said."""
    store, said = nights
    assert said["first"].startswith("Promoted: Better by ")
    first = next(iter(sorted((store.root / "runs").iterdir())))
    assert "worse by" in (first / "summary.md").read_text()
    assert events(store)[0] == "promoted"


def test_the_same_data_are_nothing_new(nights):
    """And leave no run behind."""
    store, said = nights
    assert said["nothing new"].startswith("Nothing new: ")
    assert len(list((store.root / "runs").iterdir())) == 6


def test_an_equal_challenger_is_refused(nights):
    """Another seed is better or worse by chance alone."""
    _, said = nights
    assert said["equal"].startswith("Refused: ")
    assert "does not exceed the margin" in said["equal"]


def test_a_challenger_trained_on_spoilt_images_is_refused(nights):
    """Their ink is as before, so that no drift is found; what counts is how it does on others."""
    _, said = nights
    assert said["worse"].startswith("Refused: Gain -")


def test_a_better_challenger_is_promoted(nights):
    """With the interval of its gain, at other noise and for each class."""
    store, said = nights
    assert said["better"].startswith("Promoted: Better by ")
    evidence = Alias(store, CHAMPION).current().facts
    checks = {one["what"]: one for one in evidence["checks"]}
    assert {"PSNR", "SSIM", "weaker noise", "stronger noise", "class 0", "class 9"} <= set(checks)
    assert all(one["passed"] for one in checks.values())
    assert checks["PSNR"]["low"] > checks["PSNR"]["least"]


@pytest.mark.parametrize(("name", "measure"), [("dark on light", "ink"), ("other noise", "noise")])
def test_drifted_data_are_stopped_at(nights, name, measure):
    """Before anything is trained on them."""
    _, said = nights
    assert said[name].startswith("Stopped: The data have drifted from those of the champion: ")
    assert measure in said[name]


def test_every_decision_is_written_down(nights):
    """With its reasons, and whose champion stayed; the records are sound."""
    store, _ = nights
    assert events(store) == ["promoted", "refused", "refused", "promoted", "stopped", "stopped"]
    assert Alias(store, CHAMPION).problems() == []
    for decision in Alias(store, CHAMPION).decisions():
        folder = run_folder(store, decision.by)
        assert json.loads((folder / "decision.json").read_text())["reasons"]
        assert (folder / "figures" / "nights.png").exists()
    last = max((store.root / "runs").iterdir())
    assert (last / "summary.md").read_text().count("| promoted |") == 2


def test_a_rollback_gives_back_the_same_bytes(nights, server_environment):
    """At once: the file, and what the network predicts; and forward again."""
    store, _ = nights
    better, after = champion_of(store), predictions(store)
    done = subprocess.run(
        [sys.executable, HOME / "flows" / "cli.py", "rollback", "--artifacts", store.root],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first = champion_of(store)
    assert f"The champion is {first.run}, sha256 {first.sha256}." in done.stdout
    assert first.run == min(path.name for path in (store.root / "runs").iterdir())
    before = predictions(store)
    assert before != after

    subprocess.run(
        [sys.executable, HOME / "flows" / "cli.py", "rollback", "--to", better.run, "--artifacts",
         store.root], check=True,
    )  # fmt: skip
    assert champion_of(store).sha256 == better.sha256
    assert predictions(store) == after
