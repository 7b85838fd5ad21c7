"""MLflow as a mirror of the store: with a server that is not always there, and with a database."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from autoencoders.errors import PipelineError
from flows.champion import CHAMPION, NETWORK, champion_of
from flows.ops.machine import operations
from flows.ops.registry import MLFLOW, keep_up, mirror
from flows.records import duration
from tasks.engine.aliases import Alias
from tasks.engine.journal import finished_runs, run_folder
from tasks.engine.runs import tell_nobody
from tasks.engine.store import Store
from tasks.formats.keras_files import load_network
from tests.support import HOME, free_port

pytestmark = pytest.mark.timeout(3600)  # its nights and servers take minutes even where it is quiet
SMALL = ("--preset", "quick", "--image.height", 12, "--image.width", 12, "--noise.factor", 1.0)
WEAK = ("--training.epochs", 1, "--retrain.images", 20)
"""A training that learns next to nothing, so that a later one can be better by far."""
STRONG = ("--training.epochs", 40, "--training.batch_size", 8, "--retrain.images", 20)


@dataclass
class Seen:
    """What somebody sees in MLflow."""

    runs: list[Any]
    versions: dict[str, str]
    """By sha256 of a denoiser, its version."""
    aliases: dict[str, str]
    """By alias of the denoiser, the sha256 of the version it names."""

    def run(self, name: str) -> Any:
        [found] = [one for one in self.runs if one.data.tags["run"] == name]
        return found


def seen(uri: str) -> Seen:
    """Look into MLflow as its users do."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    client = pytest.importorskip("mlflow").MlflowClient(uri)
    experiment = client.get_experiment_by_name("autoencoders")
    versions = client.search_model_versions("name = 'autoencoders-denoiser'")
    digests = {str(one.version): one.tags["sha256"] for one in versions}
    assert len(set(digests.values())) == len(digests)  # one version per network
    aliases = client.get_registered_model("autoencoders-denoiser").aliases
    return Seen(
        list(client.search_runs([experiment.experiment_id])),
        {digest: version for version, digest in digests.items()},
        {alias: digests[str(version)] for alias, version in aliases.items()},
    )


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Run MLflow's own server within the block."""
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("a") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
             "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1",
             "--artifacts-destination", str(folder / "files")],
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true",
                 "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # which is for language models
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(480):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{uri}/health").text == "OK":
                    break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.25)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def write_stripes(folder: Path) -> Path:
    """Write grey images with a brighter half, which a network learns soon; no two are equal."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    bright = np.kron([[[1, 0], [1, 0]], [[0, 1], [0, 1]], [[1, 1], [0, 0]], [[0, 0], [1, 1]]],
                     np.ones((6, 6), int)).reshape(4, 144)  # fmt: skip
    for split, count in (("train", 160), ("test", 80)):
        labels = np.arange(count) % 4
        pixels = 60 + 120 * bright[labels] + rng.integers(0, 20, (count, 144))
        np.savetxt(folder / f"{split}_data.csv", pixels, fmt="%d", delimiter=",")
        np.savetxt(folder / f"{split}_labels.csv", labels, fmt="%d")
    return folder


class Team:
    """A team's data, store and MLflow."""

    def __init__(self, folder: Path, environment: dict[str, str], uri: str) -> None:
        self.data, self.uri = write_stripes(folder / "data"), uri
        self.store = Store(folder / "artifacts")
        self.environment = {**environment, MLFLOW: uri}
        self.said: dict[str, str] = {}
        self.seen: dict[str, Seen] = {}

    def command(self, when: str, script: str, *arguments: object) -> None:
        """Run a command, and keep what it said."""
        done = subprocess.run(
            [sys.executable, HOME / "flows" / script, *map(str, arguments), "--artifacts",
             self.store.root],
            env=self.environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self.said[when] = done.stdout + done.stderr

    def night(self, when: str, *options: object) -> None:
        """Retrain."""
        self.command(when, "retrain.py", "--data", self.data, *SMALL, *options)

    def look(self, when: str) -> None:
        """Keep what is in MLflow now."""
        self.seen[when] = seen(self.uri)


@pytest.fixture(scope="module")
def team(tmp_path_factory, server_environment):
    """Some nights, in one of which MLflow's server is down; then a rollback, and one forward."""
    pytest.importorskip("mlflow")
    folder, port = tmp_path_factory.mktemp("team"), free_port()
    with serving(folder / "server", port) as uri:
        team = Team(folder, server_environment, uri)
        team.night("first", *WEAK)
        team.look("first")
    team.night("refused while it is down", *WEAK, "--seed", 1)
    with serving(folder / "server", port):
        team.night("nothing new", *WEAK, "--seed", 1)
        team.look("nothing new")
        team.night("better", *STRONG)
        team.look("better")
        team.command("back", "cli.py", "rollback")
        team.look("back")
        team.command("forward", "cli.py", "rollback", "--to", champions(team.store)[1])
        team.look("forward")
        team.command("main job", "full.py", "--data", team.data, *SMALL, "--training.epochs", 2)
        team.look("main job")
        team.command("again", "cli.py", "mlflow")
        team.look("again")
        yield team


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory, server_environment):
    """One run of the main job, and MLflow's database beside its artifacts."""
    pytest.importorskip("mlflow")
    team = Team(tmp_path_factory.mktemp("by_hand"), server_environment, "on")
    team.command("main job", "full.py", "--data", team.data, *SMALL, "--training.epochs", 2)
    team.uri = database(team.store)
    return team


def champions(store: Store) -> list[str]:
    """Return the runs that have become champion, in order."""
    decisions = list(Alias(store, CHAMPION).decisions())[::-1]
    return [one.target.run for one in decisions if one.event == "promoted"]


def sha256(store: Store, run: str) -> str:
    return hashlib.sha256((run_folder(store, run) / NETWORK).read_bytes()).hexdigest()


@pytest.mark.parametrize("value", ["", "off"])
def test_there_is_no_mirror_by_default(monkeypatch, value):
    """Whatever MLflow's own variable says, which may be there for something else."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv(MLFLOW, value)

    assert operations().mirror is tell_nobody


def test_a_mirror_without_mlflow_is_refused_with_how_to_install_it(monkeypatch):
    """Before anything runs; so is a value that is no address."""
    monkeypatch.setenv(MLFLOW, "on")
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as if it were not installed
    with pytest.raises(PipelineError, match=r"MLflow is not installed\. .*`make mlflow`.*unset"):
        operations()

    monkeypatch.setenv(MLFLOW, "yes")
    with pytest.raises(PipelineError, match="expected `on` or a URI"):
        operations()


def test_a_folder_that_cannot_be_made_for_it_costs_a_line_in_the_log(tmp_path, caplog):
    """As on a full disk: what the run has decided is written down already."""
    store = Store(tmp_path / "artifacts")
    store.root.touch()
    keep_up("on", store)

    assert "something else is there" in caplog.text
    assert "The next run catches up." in caplog.text


@pytest.mark.slow
def test_the_first_champion_is_in_mlflow(team):
    """As a version with our sha256, and the alias; its run has settings, losses, gains, files."""
    name = champions(team.store)[0]
    found, run = team.seen["first"], team.seen["first"].run(name)
    digest = sha256(team.store, name)

    assert found.aliases == {"champion": digest}
    assert list(found.versions) == [digest]
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "quick-images-12-x-12-noise-1-1-epoch"
    assert run.data.params["training.epochs"] == "1"
    assert run.data.params["noise.factor"] == "1.0"
    assert run.data.params["retrain.images"] == "20"
    assert run.data.tags["decision"] == "promoted"
    assert run.data.tags["job"] == "retrain"
    data = (team.data / "train_data.csv").read_bytes()
    assert run.data.tags["train_data"] == hashlib.sha256(data).hexdigest()
    assert {one.dataset.name for one in run.inputs.dataset_inputs} == {
        "train_data.csv", "train_labels.csv", "test_data.csv", "test_labels.csv",
    }  # fmt: skip
    [decision] = [one for one in Alias(team.store, CHAMPION).decisions() if one.by == name]
    check = decision.facts["checks"][0]
    assert run.data.metrics["gain/PSNR low"] == check["low"]
    assert "Better by" in run.data.tags["mlflow.note.content"]


@pytest.mark.slow
def test_a_server_that_is_down_costs_a_line_in_the_log(team):
    """The night ends as it would, with what to expect."""
    said = team.said["refused while it is down"]
    lines = [line for line in said.splitlines() if "MLflow" in line]

    assert "Refused: " in said
    [warning] = [line for line in lines if "WARNING" in line]
    assert f"MLflow ({team.uri}) is not up to date: it does not answer" in warning
    assert warning.endswith("The next run catches up.")
    assert len(lines) == 2  # one says that it is told


@pytest.mark.slow
def test_the_next_night_makes_up_for_it(team):
    """Also one with nothing new: the refused network is the challenger."""
    found = team.seen["nothing new"]
    [refused] = [one for one in Alias(team.store, CHAMPION).decisions() if one.event == "refused"]

    assert "Nothing new: " in team.said["nothing new"]
    assert len(found.runs) == 2
    assert found.aliases == {
        "champion": sha256(team.store, champions(team.store)[0]),
        "challenger": refused.facts["challenger"],
    }
    assert found.run(refused.by).data.tags["decision"] == "refused"


@pytest.mark.slow
def test_the_aliases_follow_promotion_rollback_and_the_way_forward(team):
    """At once; who was refused by the champion before is no challenger of this one."""
    first, better = (sha256(team.store, run) for run in champions(team.store))

    assert team.seen["better"].aliases == {"champion": better}
    assert team.seen["back"].aliases == {"champion": first}
    assert team.seen["forward"].aliases == {"champion": better}
    assert len(team.seen["forward"].versions) == 3


@pytest.mark.long
def test_the_main_job_is_in_mlflow_with_intervals_and_both_networks(by_hand):
    """Its metrics are those of its own table; losses by epoch; report and figures."""
    client = pytest.importorskip("mlflow").MlflowClient(by_hand.uri)
    [record] = finished_runs(by_hand.store)
    folder, run = run_folder(by_hand.store, record.name), seen(by_hand.uri).run(record.name)
    metrics = json.loads((folder / "metrics.json").read_text())
    losses = client.get_metric_history(run.info.run_id, "denoiser/val_loss")
    files = {one.path for one in client.list_artifacts(run.info.run_id)}
    figures = {one.path for one in client.list_artifacts(run.info.run_id, "figures")}
    seconds = (run.info.end_time - run.info.start_time) / 1000

    assert run.data.metrics["psnr/denoiser"] == metrics["denoiser"]["psnr"]
    low, high = metrics["denoiser"]["psnr_interval"]
    assert run.data.metrics["psnr/denoiser low"] == low
    assert run.data.metrics["psnr/denoiser high"] == high
    assert [one.step for one in losses] == [1, 2]
    assert {"report.html", "summary.md", "manifest.json", "run.json", "models"} <= files
    assert "figures/denoising.png" in figures
    assert seconds == pytest.approx(duration(record), abs=0.01)
    for network in ("autoencoder", "denoiser"):
        digest = hashlib.sha256((folder / "models" / f"{network}.keras").read_bytes()).hexdigest()
        [version] = client.search_model_versions(
            f"name = 'autoencoders-{network}' and tags.sha256 = '{digest}'"
        )
        assert version.tags["run"] == record.name
        assert (by_hand.store.root / "train" / version.tags["key"]).is_dir()
        assert version.description.endswith(" on the test images")


@pytest.mark.slow
def test_telling_it_again_leaves_everything_as_it_was(team):
    """The command says so, and who the champion is."""
    before, after = team.seen["main job"], team.seen["again"]

    assert "is up to date; new there: none." in team.said["again"]
    assert f"The champion is {champion_of(team.store).run}." in team.said["again"]
    assert [one.to_dictionary() for one in after.runs] == [
        one.to_dictionary() for one in before.runs
    ]
    assert (after.versions, after.aliases) == (before.versions, before.aliases)


@pytest.mark.slow
def test_what_mlflow_gives_back_is_the_champion_byte_for_byte(team, tmp_path):
    """Downloaded from the server; and MLflow loads it as a model, which predicts the same."""
    model = "models:/autoencoders-denoiser@champion"
    using = (
        "import mlflow, numpy, sys\n"
        f"mlflow.artifacts.download_artifacts('{model}/data/model.keras', dst_path='.')\n"
        f"model = mlflow.pyfunc.load_model('{model}')\n"
        "numpy.save('out.npy', model.predict(numpy.load('images.npy')))\n"
        "print(model.metadata.signature.inputs)\n"
    )
    images = np.random.default_rng(0).random((5, 12, 12, 1), np.float32)
    np.save(tmp_path / "images.npy", images)
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": team.uri}
    done = subprocess.run(
        [sys.executable, "-c", using], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "(-1, 12, 12, 1)" in done.stdout
    champion, [got] = champion_of(team.store), tmp_path.rglob("model.keras")
    assert hashlib.sha256(got.read_bytes()).hexdigest() == champion.sha256
    ours = load_network(run_folder(team.store, champion.run) / NETWORK)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), ours.predict(images), atol=1e-5)


@pytest.fixture
def copied(team, tmp_path):
    """A copy of the team's store, in a folder with a name that needs quoting."""
    shutil.copytree(team.store.root, tmp_path / "my results", symlinks=True)
    return Store(tmp_path / "my results")


@pytest.fixture(scope="module")
def whole(team, tmp_path_factory):
    """A copy that is mirrored in a database of its own, and what was told."""
    folder = tmp_path_factory.mktemp("whole") / "my results"
    shutil.copytree(team.store.root, folder, symlinks=True)
    return Store(folder), mirror("on", Store(folder))


@pytest.fixture
def mirrored(whole, tmp_path):
    """A copy of the same with its database."""
    shutil.copytree(whole[0].root, tmp_path / "my results", symlinks=True)
    return Store(tmp_path / "my results")


def database(store: Store) -> str:
    return f"sqlite:///{store.root}/mlflow/mlflow.db"


@pytest.mark.slow
def test_without_a_server_all_of_it_is_in_the_artifacts_folder(whole, team):
    """One database and its files, in which there is the same as on the server."""
    store, told = whole
    found = seen(told.uri)

    assert told.uri == database(store)
    assert len(told.recorded) == len(found.runs) == 4
    assert found.aliases == team.seen["again"].aliases
    assert found.versions.keys() == team.seen["again"].versions.keys()
    assert all(one.info.artifact_uri.startswith(store.root.as_uri()) for one in found.runs)


def begun_runs(path: Path) -> int:
    """Return how many runs a database has, in whatever state; 0 before it is there."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM runs").fetchone()[0]


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_there_twice_or_in_part(copied):
    """While the database is being made, and while runs are; the last one completes them all."""
    command = [sys.executable, "-P", "-m", "flows.ops.mirroring", copied.root, database(copied)]
    environment = {**os.environ, "PYTHONPATH": str(HOME), "MLFLOW_DISABLE_TELEMETRY": "true"}
    folder = copied.root / "mlflow"
    folder.mkdir()
    making = functools.partial(Path.exists, folder / ".mlflow.db.draft" / "open.db")
    moments = [*((making, delay) for delay in (0.3, 1.0, 2.0)),
               *((lambda n=n: begun_runs(folder / "mlflow.db") >= n, delay)
                 for n, delay in ((1, 0.1), (2, 0.4), (3, 0.0)))]  # fmt: skip
    for reached, delay in moments:
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)  # fmt: skip
        while child.poll() is None and not reached():
            time.sleep(0.01)
        time.sleep(delay)
        child.kill()
        child.wait()
    told = mirror("on", copied)
    found = seen(told.uri)

    assert len(told.recorded) < 4  # each is written after the one before it is whole
    assert sorted(one.data.tags["run"] for one in found.runs) == [
        one.name for one in finished_runs(copied)
    ]
    assert {one.info.status for one in found.runs} == {"FINISHED"}
    assert found.aliases["champion"] == champion_of(copied).sha256
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", "files"}
    client = pytest.importorskip("mlflow").MlflowClient(told.uri)
    for run in found.runs:
        epochs = int(run.data.params["training.epochs"])
        history = client.get_metric_history(run.info.run_id, "denoiser/loss")
        assert [one.step for one in history] == list(range(1, epochs + 1))


@pytest.mark.slow
def test_two_at_once_write_everything_once(copied):
    """The second waits for the first, and has nothing left to do; it is the first time for both."""
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: mirror("on", copied), range(2)))

    assert sorted(len(one.recorded) for one in told) == [0, 4]
    assert len(seen(database(copied)).runs) == 4


@pytest.mark.slow
def test_aliases_that_follow_another_store_are_left_alone(mirrored, tmp_path, monkeypatch):
    """Two teams on one server would move them to and fro; the message says how not to."""
    uri = database(mirrored)
    before = seen(uri)
    other = Store(tmp_path / "other")
    shutil.copytree(mirrored.root, other.root, symlinks=True)
    alias = Alias(other, CHAMPION)
    shutil.rmtree(alias.folder)
    alias.decide("refused", {"reasons": ["."], "checks": [], "drift": []}, over=0)

    with pytest.raises(
        PipelineError, match=r"follow another artifacts folder\..*MLFLOW_EXPERIMENT"
    ):
        mirror(uri, other)
    assert seen(uri).aliases == before.aliases
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "others/letters")
    assert mirror(uri, other).aliases == {}


@pytest.mark.slow
def test_what_a_user_has_deleted_or_moved_in_mlflow(mirrored):
    """What was deleted stays deleted, since one that came back every night would be a nuisance; an
    alias that was moved moves back."""
    uri = database(mirrored)
    client = pytest.importorskip("mlflow").MlflowClient(uri)
    found = seen(uri)
    [refused] = [one for one in found.runs if one.data.tags.get("decision") == "refused"]
    client.delete_run(refused.info.run_id)
    version = found.versions[sha256(mirrored, refused.data.tags["run"])]
    client.set_registered_model_alias("autoencoders-denoiser", "champion", version)

    assert mirror("on", mirrored).recorded == ()
    assert len(seen(uri).runs) == 3
    assert seen(uri).aliases == found.aliases


@pytest.mark.slow
def test_a_damaged_network_is_not_handed_on(copied):
    """The run is left out, and no other network is called the champion; the others are there."""
    champion = champion_of(copied)
    path = (run_folder(copied, champion.run) / NETWORK).resolve()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    told = mirror("on", copied)
    found = seen(told.uri)

    left_out, unnamed = told.warnings
    assert f"{champion.run} was not written to MLflow: " in left_out
    assert "changed after it was published" in left_out
    assert unnamed == f"MLflow has no champion: it does not have the network of {champion.run}."
    assert len(found.runs) == 3
    assert found.aliases == {}
    assert champion.sha256 not in found.versions


class Proxy:
    """Counts who wants to go out, and lets nobody."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked: list[bytes] = []
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            self.asked.append(connection.recv(1000))
            connection.close()


@pytest.mark.slow
def test_nobody_else_is_told(mirrored, monkeypatch):
    """MLflow reports its use to its makers unless it is told not to; no connection goes out."""
    proxy = Proxy()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv(name.lower(), proxy.url)
    for name in ("PYTEST_CURRENT_TEST", "CI", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)  # with these it would report nothing anyway
    mirror("on", mirrored)

    assert proxy.asked == []


@pytest.mark.slow
def test_a_run_imports_no_mlflow(mirrored, team, server_environment):
    """Neither without a mirror nor with one, which is a process of its own."""
    code = (
        "import sys; from flows.retrain import app\n"
        "try: app(sys.argv[1:], exit_on_error=False)\n"
        "except SystemExit: pass\n"
        "print('imported', 'mlflow' in sys.modules)"
    )
    run = functools.partial(subprocess.run, capture_output=True, text=True, cwd=HOME, timeout=280)
    arguments = [sys.executable, "-c", code, "--data", team.data, "--artifacts", mirrored.root,
                 *SMALL, *STRONG]  # fmt: skip
    for value in ("", "on"):
        done = run(list(map(str, arguments)), env={**server_environment, MLFLOW: value})
        assert "Nothing new" in done.stdout, done.stderr
        assert "imported False" in done.stdout
    assert len(seen(database(mirrored)).runs) == 4
