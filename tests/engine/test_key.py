"""What decides a stage's key: the code and the libraries that it can reach, and its inputs."""

import importlib.metadata
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import flows  # noqa: F401  (declares the project's packages)
import tasks
from autoencoders.settings import NoiseSettings
from flows.catalogue import CORRUPTIONS, FIGURES, METRICS
from tasks.add_noise import add_noise
from tasks.engine.errors import EditedError
from tasks.engine.handles import ArtifactRef, FunctionRef
from tasks.engine.key import key_parts, reached_sources
from tasks.engine.sources import track
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tests.support import HOME

STAGES = [
    "add_noise", "draw_glyphs", "evaluate", "ingest", "prepare", "render", "restore", "score",
    "train",
]  # fmt: skip
CHILD = """
import importlib, json, sys
import flows
from flows.catalogue import CORRUPTIONS, FIGURES, METRICS
from tasks.engine.stage import stage_of

functions = {
    "add_noise": {"corrupt": CORRUPTIONS["gaussian"]},
    "score": {"metrics": {metric.name: metric.function for metric in METRICS}},
    **{f"render {figure.name}": {"draw": figure.draw} for figure in FIGURES},
}
found = {}
for name in [*sys.argv[1:], *(name for name in functions if " " in name)]:
    stage = name.split()[0]
    function = getattr(importlib.import_module(f"tasks.{stage}"), stage)
    found[name] = stage_of(function).key_parts(functions.get(name, {})).model_dump()
print(json.dumps(found))
"""
"""Prints the key parts of every stage as a fresh process sees them."""
MODULES = sorted(
    one.name
    for one in pkgutil.walk_packages(tasks.__path__, "tasks.")
    if not one.name.startswith("tasks.engine")
)
REF = ArtifactRef(uri="file:///images.npy", sha256="0" * 64, size=1)


@pytest.fixture
def copy(tmp_path):
    """A copy of our packages that a test may edit."""
    return copied(tmp_path)


def copied(folder):
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("flows", "tasks", "autoencoders"):
        shutil.copytree(HOME / package, folder / package, ignore=ignored)
    return folder


def parts_in(folder):
    """Return the key parts of every stage, by name, from the packages in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *STAGES], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def unedited(tmp_path_factory):
    """The key parts of every stage before any edit."""
    return parts_in(copied(tmp_path_factory.mktemp("unedited")))


def changed(before, after):
    """Return the names of the stages whose key parts differ; all figures count as `render`."""
    assert before.keys() == after.keys()
    return {name.split()[0] for name in before if before[name] != after[name]}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_all_stages_are_looked_at():
    """A stage that these tests did not know would go unnoticed."""
    marked = {path.stem for path in (HOME / "tasks").glob("*.py") if "\n@stage" in path.read_text()}

    assert marked == set(STAGES)


@pytest.mark.parametrize(
    ("path", "old", "new", "stages"),
    [
        ("autoencoders/images/gaussian_noise.py", "noisy += images", "noisy += images * 1",
         {"add_noise"}),
        ("autoencoders/images/salt_and_pepper.py", "noisy = images.copy()", "noisy = +images",
         set()),  # the function that is not referred to
        ("autoencoders/metrics/quality.py", "12 * 255**2", "12 * 256**2",
         {"score", "evaluate", "render"}),
        ("autoencoders/metrics/mean_absolute_error.py", "np.abs(error)", "abs(error)", {"score"}),
        ("autoencoders/figures/image_rows.py", "CELL = 0.85", "CELL = 0.86", {"render"}),
        ("autoencoders/models/network.py", "3, padding", "5, padding", {"train"}),
        ("autoencoders/models/fused.py", "tf.float32)", "tf.float64)", {"train", "restore"}),
        ("autoencoders/randomness.py", ">> 1", ">> 2", {"train", "add_noise", "draw_glyphs"}),
        ("tasks/formats/npy.py", "[start : start + rows]", "[start : rows + start]",
         {"prepare", "add_noise", "restore", "score"}),
        ("tasks/formats/csv_errors.py", "LONGEST_QUOTE = 30", "LONGEST_QUOTE = 31", {"ingest"}),
        ("tasks/runtime.py", '"3")', '"2")', {"train", "restore", "score"}),
        ("autoencoders/settings.py", "] = 50", "] = 51", set()),
        ("tasks/precision.py", "= 8.0", "= 9.0", set()),
        ("flows/full.py", '("train", "test")', '("test", "train")', set()),
    ],
)  # fmt: skip
def test_an_edit_is_seen_by_exactly_the_stages_that_reach_it(
    copy, unedited, path, old, new, stages
):
    """Through any number of imports; deferred imports count, type checkers' imports do not."""
    edit(copy / path, old, new)

    assert changed(unedited, parts_in(copy)) == stages


def test_a_figure_is_drawn_again_only_if_its_own_function_changed(copy, unedited):
    """Each step that is given a function reaches that one alone."""
    edit(copy / "autoencoders/figures/loss_curves.py", "alpha=0.3", "alpha=0.4")
    after = parts_in(copy)

    assert {name for name in after if after[name] != unedited[name]} == {"render loss_curves"}


def test_an_edit_of_the_engine_changes_no_key(copy, unedited):
    """What a stage cannot reach cannot change what it writes: every file of it but `handles`."""
    files = [path for path in (copy / "tasks" / "engine").glob("*.py")
             if path.name not in ("handles.py", "__init__.py")]  # fmt: skip
    assert len(files) > 15
    for path in files:
        path.write_text(f"{path.read_text()}\n\ndef added() -> int:\n    return 1\n")
    edit(copy / "tasks/engine/__init__.py", "It knows no stage.", "It knows nothing.")

    assert changed(unedited, parts_in(copy)) == set()


def test_an_edit_of_the_handles_changes_every_key(copy, unedited):
    """The one module of the engine that every stage touches."""
    path = copy / "tasks/engine/handles.py"
    path.write_text(f"{path.read_text()}\n\ndef added() -> int:\n    return 1\n")

    assert changed(unedited, parts_in(copy)) == set(STAGES)


@pytest.mark.parametrize("module", MODULES)
def test_modules_beside_the_engine_reach_only_its_handles(module):
    """Directly or through others; `precision` and `find_files` are held to it too."""
    reached = {name for name in reached_sources(module, {}) if name.startswith("tasks.engine")}

    assert reached <= {"tasks.engine", "tasks.engine.handles"}


def test_a_stage_reaches_itself_and_what_it_stands_on():
    """Its own module, the packages around it, and what it imports when it runs."""
    reached = reached_sources("tasks.train", {})

    assert {"tasks.train", "tasks", "autoencoders.models.training"} <= reached.keys()
    assert not [name for name in reached if name.startswith("flows")]
    assert reached["tasks.train"] == (HOME / "tasks" / "train.py").read_bytes()


def test_comments_docstrings_and_formatting_do_not_count(copy, unedited):
    """What does not run cannot change what is written."""
    path = copy / "autoencoders" / "images" / "gaussian_noise.py"
    edit(path, '"""Add white Gaussian noise', '"""Add some noise')
    edit(path, "    noisy += images", "    # a comment\n    noisy   +=   (images)")
    path.write_text("# another one\n\n" + path.read_text())

    assert changed(unedited, parts_in(copy)) == set()


@pytest.mark.parametrize("path", ["autoencoders/images/gaussian_noise.py", "tasks/add_noise.py"])
def test_the_order_of_imports_counts(copy, unedited, path):
    """An import runs code, and a later one may replace the name of an earlier one."""
    lines = (copy / path).read_text().splitlines(keepends=True)
    first, second = [n for n, line in enumerate(lines) if line.startswith(("import", "from"))][-2:]
    lines[first], lines[second] = lines[second], lines[first]
    (copy / path).write_text("".join(lines))

    assert changed(unedited, parts_in(copy)) == {"add_noise"}


def test_a_changed_constant_is_shown_with_its_value(copy, unedited):
    """So that an explanation can say old and new."""
    edit(copy / "autoencoders" / "figures" / "image_rows.py", "CELL = 0.85", "CELL = 0.9")
    name = "autoencoders.figures.image_rows:CELL"

    assert unedited["render denoising"]["code"][name] == "CELL = 0.85"
    assert parts_in(copy)["render denoising"]["code"][name] == "CELL = 0.9"


def libraries(stage, **inputs):
    return set(key_parts(stage, f"tasks.{stage}", inputs).libraries)


def test_the_libraries_of_a_stage_are_exactly_those_it_imports():
    """An update of matplotlib draws figures again and trains nothing."""
    arrays = {"numpy", "pandas", "python"}
    metrics = {metric.name: metric.function for metric in METRICS}

    assert libraries("render") == arrays
    for figure in FIGURES:
        assert libraries("render", draw=figure.draw) == arrays | {"matplotlib"}
    assert libraries("ingest") == {"numpy", "pyarrow", "python"}
    assert libraries("prepare") == {"numpy", "pyarrow", "python"}
    assert libraries("add_noise", corrupt=CORRUPTIONS["gaussian"]) == {"numpy", "python"}
    assert libraries("evaluate") == arrays
    assert libraries("train") == arrays | {"keras", "tensorflow"}
    assert libraries("score", metrics=metrics) == arrays | {"keras", "tensorflow"}
    assert libraries("draw_glyphs") == {"fontTools", "numpy", "pillow", "python"}


@pytest.mark.parametrize("stage", ["ingest", "prepare", "add_noise", "evaluate"])
def test_stages_without_a_network_do_not_depend_on_tensorflow(stage):
    """An update of TensorFlow reads no data again."""
    assert not {"tensorflow", "keras"} & libraries(stage)


def test_a_library_stands_in_the_key_with_its_version():
    """Under the name of the distribution that brings it, e.g. pillow for PIL."""
    found = key_parts("draw_glyphs", "tasks.draw_glyphs", {}).libraries

    assert found["pillow"] == importlib.metadata.version("pillow")
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_nothing_that_a_stage_reaches_imports_by_a_computed_name():
    """The key could not see it. Only a function reference does so, and its module is reached."""
    for package in ("tasks", "autoencoders"):
        for path in (HOME / package).rglob("*.py"):
            text = path.read_text()
            assert "__import__" not in text, path
            assert path.name == "handles.py" or "import_module" not in text, path


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A package of its own name, which `write(name, text)` writes modules of."""
    name = "house_" + "".join(c for c in request.node.name if c.isalnum())
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


STAGE = """
from pathlib import Path
from tasks.engine.handles import ArtifactRef, Output, stage

@stage
def write(output: Output, number: ArtifactRef, edited: str = "") -> None:
    if edited:
        Path(edited).write_text("VALUE = 2")
    from {package}.late import VALUE
    (output.folder / "value.txt").write_text(str(VALUE))
"""


@pytest.fixture
def write_stage(package, tmp_path):
    """A stage that imports a module when it runs, and a file for it to read."""
    (package / "late.py").write_text("VALUE = 1")
    (package / "stages.py").write_text(STAGE.format(package=package.name))
    number = tmp_path / "number.txt"
    number.write_text("7")
    module = __import__(f"{package.name}.stages", fromlist=["write"])
    return stage_of(module.write), {
        "number": ArtifactRef(
            uri=number.as_uri(), size=1,
            sha256="7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451",
        )
    }  # fmt: skip


def test_a_module_edited_between_key_and_import_is_refused(package, write_stage, tmp_path):
    """What it computes would stand under the key of the code before."""
    stage, inputs = write_stage
    store = Store(tmp_path / "artifacts")
    edited = {**inputs, "edited": str(package / "late.py")}

    with pytest.raises(EditedError, match=r"late\.py: the code was edited"):
        stage.compute(store, edited)
    assert list(store.artifacts()) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_module_edited_while_the_inputs_are_checked_is_refused(
    package, write_stage, tmp_path, monkeypatch
):
    """Reading large inputs takes minutes; the key was made before."""
    stage, inputs = write_stage
    store = Store(tmp_path / "artifacts")
    before = stage.key_parts(inputs).key

    def fetch(store, ref, real=Store.fetch):
        (package / "late.py").write_text("VALUE = 2")
        return real(store, ref)

    monkeypatch.setattr(Store, "fetch", fetch)
    with pytest.raises(EditedError):
        stage.compute(store, inputs)
    assert ("write", before) not in store.artifacts()


def test_an_unedited_module_is_imported_and_published(write_stage, tmp_path):
    """The same stage, left alone."""
    stage, inputs = write_stage
    artifact = stage.compute(Store(tmp_path / "artifacts"), inputs)

    assert artifact["value.txt"].path.read_text() == "1"


def test_a_stale_compiled_file_does_not_run(package, tmp_path):
    """Python trusts size and time of a source; the key speaks of its text."""
    source = package / "late.py"
    (package / "late.py").write_text("VALUE = 1")
    python = [sys.executable, "-c"]
    plain = f"from {package.name}.late import VALUE; print(VALUE)"
    tracked = f"from tasks.engine.sources import track; track('{package.name}'); {plain}"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{HOME}"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(program):
        return subprocess.check_output([*python, program], env=environment, text=True).strip()

    assert run(plain) == "1"
    assert list(package.glob("__pycache__/late.*.pyc"))
    before = source.stat()
    source.write_text("VALUE = 2")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert run(plain) == "1"  # what Python alone does
    assert run(tracked) == "2"


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_read_does_not_count(package, test):
    """Neither its imports nor its text; the `else` of it is what runs, and counts."""
    text = (
        f"import typing\nfrom typing import TYPE_CHECKING\nif {test}:\n"
        "    from autoencoders import errors\n    SIZE = 1\n"
        f"else:\n    from {package.name} import other\n    SIZE = 2\n"
    )
    names = {"plain": text, "hint": text.replace("SIZE = 1", "SIZE = 3"),
             "ran": text.replace("SIZE = 2", "SIZE = 4")}  # fmt: skip
    for name, content in {**names, "other": "VALUE = 1\n"}.items():
        (package / f"{name}.py").write_text(content)

    track(package.name)
    reached = reached_sources(f"{package.name}.plain", {})
    code = {
        name: {definition.partition(":")[2]: digest for definition, digest in parts.code.items()}
        for name in names
        for parts in [key_parts("write", f"{package.name}.{name}", {})]
    }
    assert reached.keys() == {package.name, f"{package.name}.plain", f"{package.name}.other"}
    assert code["hint"] == code["plain"]
    assert code["ran"] != code["plain"]


def noise_inputs(corrupt):
    noise = NoiseSettings()
    return {"images": REF, "split": "train", "seed": 0, "noise": noise, "corrupt": corrupt}


@pytest.mark.parametrize(
    "name",
    [
        "autoencoders.metrics.quality:no_such_function",
        "autoencoders.metrics.nowhere:mean_squared_error",
        "autoencoders.metrics.quality",
        "posixpath:join",  # of a library: its code would not count
    ],
)
def test_a_reference_to_no_function_of_the_project_is_refused(name):
    """When the key is made, before anything is computed or imported."""
    with pytest.raises(ValueError, match=rf"{name}: the project has no such function"):
        stage_of(add_noise).key_parts(noise_inputs(FunctionRef(name)))


def test_functions_count_wherever_they_stand_in_the_inputs():
    """Directly, in a mapping, in a list."""
    ref = FunctionRef("autoencoders.metrics.mean_absolute_error:mean_absolute_error")
    for value in (ref, {"mae": ref}, [ref], {"all": [ref]}):
        code = key_parts("score", "tasks.score", {"metrics": value}).code
        assert "autoencoders.metrics.mean_absolute_error:mean_absolute_error" in code


@pytest.mark.parametrize(
    "value", [Path("a"), np.zeros(2), np.float32(1), {1, 2}, b"bytes", print, object()], ids=repr
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"inner": [value]}])
def test_an_input_of_an_unknown_kind_is_refused(value, wrap):
    """A key that leaves something out would be a hit for something else."""
    inputs = {**noise_inputs(CORRUPTIONS["gaussian"]), "split": wrap(value)}
    with pytest.raises(TypeError, match=r"`split(\.inner\[0\])?` must be a file or function"):
        stage_of(add_noise).key_parts(inputs)


def test_a_function_without_the_mark_is_no_stage():
    """With the words that say what to do."""
    with pytest.raises(TypeError, match="is not a stage; mark it with @stage"):
        stage_of(edit)


def test_paths_do_not_count_but_contents_do():
    """The same bytes anywhere are the same input."""
    moved = ArtifactRef(uri="file:///elsewhere.npy", sha256=REF.sha256, size=1)
    other = ArtifactRef(uri=REF.uri, sha256="1" * 64, size=1)
    inputs = noise_inputs(CORRUPTIONS["gaussian"])
    keys = [stage_of(add_noise).key_parts({**inputs, "images": ref}).key
            for ref in (REF, moved, other)]  # fmt: skip

    assert keys[0] == keys[1] != keys[2]
