"""Writes runs, networks and aliases into MLflow. Only this module imports it.

Nothing is set for the whole process: no active run, no autologging. What is written is the same
whenever it is written again, and a run is `FINISHED` there only when it is there with all it has.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature

from flows.ops.registry import ROOM
from flows.recorded import Network, RecordedRun
from tasks.engine.errors import DamagedError
from tasks.engine.files import sha256_of
from tasks.engine.handles import sync

EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
"""Environment variable of MLflow's own: the experiment. Names of models begin with its name."""
DEFAULT = "autoencoders"
DIGEST = "autoencoders.record"
"""Tag of a run: sha256 of our record of it."""
HISTORY = "autoencoders.history"
"""Tag of a registered model: sha256 of the first decision of the store that its aliases follow."""
SHA256 = "sha256"
"""Tag of a version: of the `.keras` file."""
ABOUT_EXPERIMENT = {
    "mlflow.note.content": "Finished runs of autoencoder-pipeline, as its artifacts folder has them"
}
ABOUT_MODEL = (
    "Each version is a network by its content: the tag sha256 is that of data/model.keras. The "
    "aliases follow the decisions in the artifacts folder (`autoencoders champion`); an alias that "
    "is moved here moves back."
)
MOST = {"params": 100, "metrics": 1000, "tags": 100}
"""What MLflow takes at once."""
LONGEST = 5000
"""Characters of a value, fewer than MLflow takes."""
SQLITE = "sqlite:///"
SERVERS = ("http", "https", "databricks")
"""Schemes of those that know themselves where files go."""


class Writer:
    """Writes into one experiment."""

    def __init__(self, uri: str, root: Path) -> None:
        """Find the experiment, or make it.

        Args:
            uri: Of a tracking server or database.
            root: Folder of the store, where files go if MLflow is a database.
        """
        _make_database(uri)
        self._client = MlflowClient(uri, os.environ.get("MLFLOW_REGISTRY_URI"))
        self._name = os.environ.get(EXPERIMENT) or DEFAULT
        self._experiment = self._found() or self._made(uri, root)

    def _found(self) -> Experiment | None:
        return self._client.get_experiment_by_name(self._name)

    def _made(self, uri: str, root: Path) -> Experiment:
        served = urlsplit(uri).scheme in SERVERS
        place = None if served else (root / ROOM / "files").as_uri()
        try:
            self._client.create_experiment(self._name, place, ABOUT_EXPERIMENT)
        except MlflowException:
            if self._found() is None:  # another machine was not just faster
                raise
        made = self._found()
        assert made is not None
        return made

    def recorded(self) -> set[str]:
        """Return the digests of the runs that are there; deleted ones were there, and stay so."""
        return {
            run.data.tags[DIGEST]
            for run in self._runs(f"tags.`{DIGEST}` != ''")
            if run.info.status == "FINISHED" or run.info.lifecycle_stage == "deleted"
        }

    def _runs(self, wanted: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment.experiment_id], wanted, ViewType.ALL, 1000, page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def record(self, run: RecordedRun) -> None:
        """Write a run with its networks; one that is there in part is completed."""
        begun = next(self._runs(f"tags.`{DIGEST}` = '{run.digest}'"), None)
        if begun is None:
            begun = self._client.create_run(
                self._experiment.experiment_id, run.started, {DIGEST: run.digest}, run.title
            )
        run_id = begun.info.run_id
        for batch in _batches(_entities(run)):
            self._client.log_batch(run_id, **batch)
        self._client.log_inputs(run_id, _datasets(run))
        for place, path in run.files.items():
            self._client.log_artifact(run_id, str(path), str(Path(place).parent).removeprefix("."))
        for name, network in run.networks.items():
            self._register(run, name, network, run_id, begun.info.artifact_uri)
        self._client.set_terminated(run_id, "FINISHED", run.ended)

    def _register(
        self, run: RecordedRun, name: str, network: Network, run_id: str, place: str
    ) -> None:
        """Add a network as a model of MLflow's; its version is one per content."""
        with tempfile.TemporaryDirectory() as folder:
            _write_model(Path(folder), network, run.shape)
            self._client.log_artifacts(run_id, folder, f"models/{name}")
        model = self._model(name)
        if self._version(model, network.sha256) is None:
            self._client.create_model_version(
                model, f"{place}/models/{name}", run_id, _version_tags(run, network),
                description=network.text,
            )  # fmt: skip

    def _model(self, network: str) -> str:
        """Return the name of a registered model, made if it is missing."""
        name = f"{re.sub('[/:]', '-', self._name)}-{network}"  # which names of models cannot have
        try:
            self._client.create_registered_model(name, description=ABOUT_MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return name

    def _version(self, model: str, sha256: str) -> ModelVersion | None:
        found = self._client.search_model_versions(
            f"name = '{model}' and tags.`{SHA256}` = '{sha256}'"
        )
        return min(found, key=lambda one: int(one.version), default=None)

    def name_versions(
        self, network: str, wanted: Mapping[str, str | None], history: str
    ) -> set[str]:
        """Let aliases name the versions with these digests.

        Args:
            network: Which one.
            wanted: By alias, the sha256 of what it names; None removes the alias.
            history: What the decisions of this store are told by from those of others.

        Returns:
            The aliases that name nothing, because there is no such version.

        Raises:
            LookupError: If the aliases follow another store.
        """
        model = self._model(network)
        registered = self._client.get_registered_model(model)
        if registered.tags.get(HISTORY, history) != history:
            raise LookupError(
                f"{model}: its aliases follow another artifacts folder. Give this one names of its "
                f"own with {EXPERIMENT}, or delete the tag {HISTORY} there."
            )
        self._client.set_registered_model_tag(model, HISTORY, history)
        missing = set()
        for alias, sha256 in wanted.items():
            named = registered.aliases.get(alias)
            version = self._version(model, sha256) if sha256 else None
            if version is not None:
                if str(named) != str(version.version):
                    self._client.set_registered_model_alias(model, alias, version.version)
                continue
            if named is not None:
                self._client.delete_registered_model_alias(model, alias)
            if sha256:
                missing.add(alias)
        return missing


def _make_database(uri: str) -> None:
    """Make a database of SQLite if it is missing, whole or not at all.

    MLflow takes seconds for it, in steps that it cannot repeat: one that was killed in between
    could never be opened again.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or path.exists():
        return
    drafts = path.with_name(f".{path.name}.draft")
    shutil.rmtree(drafts, ignore_errors=True)  # of a process that was killed
    drafts.mkdir(parents=True)
    MlflowClient(f"{SQLITE}{drafts / 'open.db'}").search_experiments(max_results=1)
    with contextlib.closing(sqlite3.connect(drafts / "open.db")) as made:
        made.execute("VACUUM INTO ?", (str(drafts / "whole.db"),))  # all of it, in one file
    sync(drafts / "whole.db")
    with contextlib.suppress(FileExistsError):  # somebody else was faster
        os.link(drafts / "whole.db", path)
    shutil.rmtree(drafts)


def _entities(run: RecordedRun) -> dict[str, list[Any]]:
    tags = {**run.tags, "mlflow.note.content": run.text, "mlflow.source.name": run.tags["job"]}
    return {
        "params": [Param(name, value[:LONGEST]) for name, value in run.settings.items()],
        "metrics": [Metric(name, value, run.ended, step) for name, value, step in run.metrics],
        "tags": [RunTag(name, value[:LONGEST]) for name, value in tags.items()],
    }


def _batches(entities: Mapping[str, list[Any]]) -> Iterator[dict[str, list[Any]]]:
    """Cut what is to be written into parts that MLflow takes."""
    for kind, items in entities.items():
        for start in range(0, len(items), MOST[kind]):
            yield {kind: items[start : start + MOST[kind]]}


def _datasets(run: RecordedRun) -> list[DatasetInput]:
    """Return the user's files, each by the beginning of its sha256; all of it is among the tags."""
    return [
        DatasetInput(
            Dataset(file, sha256[:36], "local", json.dumps({"sha256": sha256})),
            [InputTag("mlflow.data.context", role)],
        )
        for role, (file, sha256) in run.data.items()
    ]


def _version_tags(run: RecordedRun, network: Network) -> dict[str, str]:
    given = {SHA256: network.sha256, "run": run.tags["run"], "key": network.key}
    return {name: value for name, value in given.items() if value} | {
        name: value for name, value in run.tags.items() if name == "decision"
    }


def _write_model(folder: Path, network: Network, shape: tuple[int, ...]) -> None:
    """Write a folder that MLflow loads as it does its own, with our file in it as it is.

    Raises:
        DamagedError: If the file changes meanwhile.
    """
    (folder / "data").mkdir()
    copy = folder / "data" / "model.keras"
    shutil.copyfile(network.path, copy)
    if sha256_of(copy) != network.sha256:
        raise DamagedError(f"{network.path}: changed after it was published.")
    keras, tensorflow = (importlib.metadata.version(name) for name in ("keras", "tensorflow"))
    model = Model(signature=_signature(shape))
    model.add_flavor("python_function", loader_module="mlflow.keras",
                     python_version=platform.python_version())  # fmt: skip
    model.add_flavor("keras", data="data", keras_version=keras, keras_backend="tensorflow",
                     save_exported_model=False)  # fmt: skip
    model.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text(f"keras=={keras}\ntensorflow=={tensorflow}\n")


def _signature(shape: tuple[int, ...]) -> ModelSignature | None:
    """Say what networks take and return: float32, n images of this shape."""
    if not shape:
        return None
    images = {"dtype": "float32", "shape": [-1, *shape]}
    schema = json.dumps([{"type": "tensor", "tensor-spec": images}])
    return ModelSignature.from_dict({"inputs": schema, "outputs": schema})
