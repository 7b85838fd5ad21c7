"""What holds the project together: sizes, the arrows between its layers, and which code runs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autoencoders.settings import PRESETS
from tests.support import HOME, PACKAGES, copy_packages, edit

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
MODULES = sorted(path for package in PACKAGES for path in (HOME / package).rglob("*.py"))
DEPLOYMENTS = yaml.safe_load((HOME / "prefect.yaml").read_text())["deployments"]
DOOR = "stages and formats reach only the engine's entry point, directly or indirectly"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOME)))
def test_modules_and_functions_are_short(path):
    """At most 300 lines a module and 40 a function, its docstring not counted."""
    source = path.read_text(encoding="utf-8")
    too_long = {name: lines for name, lines in bodies(source) if lines > LONGEST_FUNCTION}

    assert len(source.splitlines()) <= LONGEST_MODULE
    assert too_long == {}


def bodies(source: str) -> list[tuple[str, int]]:
    """Return the name of every function and how many lines its body has, without docstrings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            found.append((node.name, lines))
    return found


def test_the_length_of_a_function_is_that_of_its_body():
    """From its first statement to its last line."""
    source = (
        'def f(\n    x,\n):\n    """Two\n    lines."""\n    y = (\n        x\n    )\n    return y\n'
    )

    assert bodies(source) == [("f", 4)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the packages and of the rules about their imports."""
    folder = tmp_path_factory.mktemp("copy")
    copy_packages(folder)
    shutil.copy(HOME / "pyproject.toml", folder)
    return folder


def broken_rules(folder: Path) -> list[str]:
    """Return the import rules that the packages in a folder break."""
    shown = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert "Contracts: " in shown.stdout, shown.stdout + shown.stderr
    broken = re.findall(r"^(.+) BROKEN", shown.stdout, re.MULTILINE)
    assert shown.returncode == (1 if broken else 0)
    return broken


def test_the_project_follows_its_import_rules(copy):
    """Flows use tasks, tasks use array code; stages reach the engine through one entry point."""
    assert broken_rules(copy) == []


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        pytest.param("tasks/prepare.py", "from tasks.engine.store import Store", DOOR,
                     id="a stage imports the store"),
        pytest.param("tasks/formats/npy.py", "from tasks.engine.files import sha256_of", DOOR,
                     id="a format imports the engine's files"),
        pytest.param("tasks/engine/gc.py", "from autoencoders.errors import PipelineError",
                     "the engine knows no stage, no format and no array code",
                     id="the engine imports array code"),
        pytest.param("tasks/engine/store.py", "from tasks.formats.npy import NpyWriter",
                     "the engine knows no stage, no format and no array code",
                     id="the engine imports a format"),
        pytest.param("tasks/engine/runs.py", "from tasks.train import train",
                     "the engine knows no stage, no format and no array code",
                     id="the engine imports a stage"),
        pytest.param("tasks/engine/handles.py", "from tasks.engine.files import sha256_of",
                     "the engine's entry point imports nothing else of it",
                     id="the entry point imports the engine"),
        pytest.param("tasks/formats/csv.py", "from tasks.ingest import ingest",
                     "formats know no stage", id="a format imports a stage"),
        pytest.param("autoencoders/images/pixels.py", "from pathlib import Path",
                     "the array code knows no orchestrator, no disk, no network",
                     id="array code imports pathlib"),
        pytest.param("autoencoders/models/training.py", "import prefect",
                     "the array code knows no orchestrator, no disk, no network",
                     id="array code imports Prefect"),
        pytest.param("flows/full.py", "import numpy as np",
                     "flows hold no arrays and no file formats", id="a flow imports NumPy"),
        pytest.param("tasks/train.py", "from flows.catalogue import METHODS",
                     "flows -> tasks -> autoencoders, never back", id="a stage imports a flow"),
        pytest.param("autoencoders/settings.py", "from tasks.resolve import resolve_settings",
                     "flows -> tasks -> autoencoders, never back",
                     id="array code imports a task"),
    ],
)  # fmt: skip
def test_breaking_an_import_rule_is_found(copy, path, line, rule):
    """Each rule fails for what it forbids, whatever else that breaks."""
    file = copy / path
    text = file.read_text()
    try:
        file.write_text(f"{text}\n{line}\n")
        broken = broken_rules(copy)
    finally:
        file.write_text(text)

    assert rule in broken


def test_a_stage_cannot_reach_the_engine_through_a_format(copy):
    """Also where the format is new and its import is hidden in a function."""
    new = copy / "tasks" / "formats" / "new.py"
    text = (copy / "tasks" / "prepare.py").read_text()
    try:
        new.write_text("def digest(path):\n    from tasks.engine.files import sha256_of\n")
        (copy / "tasks" / "prepare.py").write_text(
            f"{text}\nfrom tasks.formats.new import digest\n"
        )
        broken = broken_rules(copy)
    finally:
        new.unlink()
        (copy / "tasks" / "prepare.py").write_text(text)

    assert DOOR in broken


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_a_deployment_names_a_preset_and_repeats_none(deployment):
    """Settings given here would be a second copy, which somebody forgets to change."""
    parameters = deployment.get("parameters", {})

    assert "settings" not in parameters
    assert parameters.get("preset", "reference") in PRESETS


def locked(name: str) -> dict[str, set[str]]:
    """Return the versions in a lock file by package: several, where Pythons need different ones."""
    text = (HOME / name).read_text()
    found: dict[str, set[str]] = {}
    for package, version, rest in re.findall(
        r"^([a-z0-9-]+)==(\S+)(.*(?:\n    --hash=.*)*)", text, re.MULTILINE
    ):
        assert "--hash=sha256:" in rest, f"{name}: {package} has no hash"
        found.setdefault(package, set()).add(version)
    assert len(found) > 50
    assert not re.search(r"https?://|file:", text)
    return found


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("requirements.lock", ["build", "dev", "export"]),
        ("requirements-runtime.lock", ["build"]),
        ("requirements-mlflow.lock", ["build", "mlflow"]),
    ],
)
def test_the_lock_files_hold_what_pyproject_asks_for(name, extras):
    """Each has what its extras name, in versions that they allow, and the versions of the first:
    whoever adds MLflow keeps all of the cache."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    versions, first = locked(name), locked("requirements.lock")

    for text in asked:
        one = Requirement(text)
        found = versions[canonicalize_name(one.name)]
        assert all(version in one.specifier for version in found), f"{name}: {text}, has {found}"
    for package in versions.keys() & first.keys():
        assert versions[package] <= first[package], package
    assert ("scikit-learn" in versions) == ("mlflow" in extras)
    assert ("pytest" in versions) == ("dev" in extras)


def test_a_script_runs_its_own_checkout(tmp_path):
    """Wherever it is called from, and although other code is installed, which stays what others
    import."""
    copy_packages(tmp_path)
    edit(tmp_path / "flows" / "options.py", "File or folder of images", "Folder of my files")
    edit(
        tmp_path / "autoencoders" / "training_settings.py",
        "Number of passes over",
        "My passes over",
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def shown(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)], env={**environment, "COLUMNS": "200"},
            cwd="/", capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    help_text = " ".join(shown(tmp_path / "flows" / "full.py", "--help").split())
    assert "Folder of my files" in help_text
    assert "My passes over the training images" in help_text
    for package in PACKAGES:
        installed = shown("-c", f"import {package}; print({package}.__file__)").strip()
        assert Path(installed) == HOME / package / "__init__.py"


@pytest.mark.parametrize(
    "script",
    ["full", "denoise", "experiment", "export", "cli", "fetch", "glyphs", "rates", "retrain"],
)
def test_every_script_finds_its_checkout(script):
    """Nothing is imported before the path is right, or the wrong modules would stay loaded."""
    tree = ast.parse((HOME / "flows" / f"{script}.py").read_text())
    first, *_ = (one for one in tree.body if not isinstance(one, ast.Expr))

    assert ast.unparse(first) == "if not __package__:\n    import checkout"
