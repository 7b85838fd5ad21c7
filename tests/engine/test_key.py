"""What decides a stage's key: the code and the libraries that it can reach, and its inputs."""

import importlib
import importlib.metadata
import json
import os
import pkgutil
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

import flows  # noqa: F401  (declares the project's packages)
import tasks
from autoencoders.settings import NoiseSettings
from flows.catalogue import CORRUPTIONS, FIGURES, METHODS, METRICS
from tasks.add_noise import add_noise
from tasks.engine.errors import EditedError, UnseenCodeError
from tasks.engine.handles import ArtifactRef, FunctionRef, stage
from tasks.engine.key import examine
from tasks.engine.libraries import library_versions, require_same_versions
from tasks.engine.sources import track
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tests.support import HOME

STAGES = [
    "add_noise", "choose_unseen", "decide", "draw_contact_sheet", "draw_glyphs", "draw_nights",
    "draw_pareto", "draw_rates", "evaluate", "ingest", "mark_seen", "measure_baseline",
    "measure_codes", "measure_drift", "measure_given", "measure_linear_rates", "measure_network",
    "measure_rate", "merge", "prepare", "profile", "render", "report", "train",
    "write_experiment_page",
]  # fmt: skip
VARIED = ("draw_nights", "ingest", "measure_drift", "render", "train")
"""Stages that reach most of the libraries."""
MEASURING = ("measure_baseline", "measure_given", "measure_network")
CHILD = """
import importlib, json, sys
import flows
from flows.catalogue import CORRUPTIONS, FIGURES, METRICS
from tasks.engine.stage import stage_of

functions = {
    "add_noise": {"corrupt": CORRUPTIONS["gaussian"]},
    "measure_given": {"exam": {metric.name: metric.function for metric in METRICS}},
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
         {"measure_given", "evaluate", "render"}),
        ("autoencoders/metrics/mean_absolute_error.py", "np.abs(error)", "abs(error)",
         {"measure_given"}),
        ("autoencoders/figures/image_rows.py", "CELL = 0.85", "CELL = 0.86", {"render"}),
        ("autoencoders/models/network.py", "3, padding", "5, padding", {"train"}),
        ("autoencoders/models/fused.py", "tf.float32)", "tf.float64)",
         {"train", "measure_network", "measure_rate"}),
        ("autoencoders/randomness.py", ">> 1", ">> 2",
         {"train", "add_noise", "draw_glyphs", "evaluate", "decide", "report", "measure_rate",
          "measure_linear_rates", *MEASURING}),
        ("tasks/formats/npy.py", "[start : start + rows]", "[start : rows + start]",
         {"prepare", "add_noise", "evaluate", "measure_codes", "profile", "mark_seen",
          "choose_unseen", "measure_linear_rates", "measure_rate", *MEASURING}),
        ("tasks/formats/csv_errors.py", "LONGEST_QUOTE = 30", "LONGEST_QUOTE = 31", {"ingest"}),
        ("tasks/runtime.py", '"agg"', '"svg"', {"train", "measure_rate", *MEASURING}),
        ("autoencoders/training_settings.py", "] = 50", "] = 51", set()),
        ("tasks/resolve.py", "= 8.0", "= 9.0", set()),
        ("flows/images.py", '("train", "test")', '("test", "train")', set()),
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
    reached = {name for name in examine("stage", module, {})[1] if name.startswith("tasks.engine")}

    assert reached <= {"tasks.engine", "tasks.engine.handles"}


def test_a_stage_reaches_itself_and_what_it_stands_on():
    """Its own module, the packages around it, and what it imports when it runs."""
    reached = examine("train", "tasks.train", {})[1]

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
    return set(examine(stage, f"tasks.{stage}", inputs)[0].libraries)


def test_the_libraries_of_a_stage_are_those_it_imports_and_what_these_require():
    """An update of matplotlib draws figures again and trains nothing."""
    metrics = {metric.name: metric.function for metric in METRICS}
    drawing = libraries("render", draw=FIGURES[0].draw)

    assert libraries("prepare") == {"numpy", "pyarrow", "python"}
    assert libraries("ingest") == {"isal", "numpy", "pillow", "pyarrow", "python"}
    assert libraries("add_noise", corrupt=CORRUPTIONS["gaussian"]) == {"numpy", "python"}
    assert {"pandas", "pyarrow", "numpy"} < libraries("evaluate")
    assert {"matplotlib", "pillow", "kiwisolver", "pandas", "pyarrow"} < drawing
    assert {"keras", "tensorflow", "h5py", "ml-dtypes"} < libraries("train")
    assert {"keras", "tensorflow", "pyarrow"} < libraries("measure_given", exam=metrics)
    assert "matplotlib" not in libraries("train") | libraries("evaluate")
    assert "tensorflow" not in drawing


OPTIONAL = frozenset({"cloudpickle", "pytz", "matplotlib", "scipy", "charset-normalizer"}) | (
    frozenset({"sklearn", "google"}) & importlib.metadata.packages_distributions().keys()
)
"""What libraries load if it is there, for things that no stage does: Arrow for functions of users,
pandas for time zones, Keras for its pictures of networks and for images that it reads itself, NumPy
for source files in Fortran. MLflow brings scikit-learn, for which Keras wraps networks, and more
libraries within `google`, where TensorFlow loads protobuf."""
LOADED = """
import importlib, json, sys
import flows
from tasks.engine.key import examine
name, functions = sys.argv[1], json.loads(sys.argv[2])
before = set(sys.modules)
importlib.import_module(f"tasks.{name}")
if name in ("train", "measure_baseline", "measure_given", "measure_network"):
    from tasks.runtime import import_tensorflow
    import_tensorflow(2, print)
if name == "render":
    from tasks.drawing import drawing_defaults
    with drawing_defaults():
        pass
_, sources = examine(name, f"tasks.{name}", {})
for module in [*sources, *(one.partition(":")[0] for one in functions)]:
    importlib.import_module(module)
loaded = {name: sys.modules[name] for name in set(sys.modules) - before}
# A namespace alone, which a library has looked into for an optional one, has no code
code = [name for name, module in loaded.items() if getattr(module, "__file__", None)]
print(json.dumps(sorted({name.partition(".")[0] for name in code})))
"""


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=pytest.mark.long if stage in VARIED else pytest.mark.slow)
     for stage in STAGES],
)  # fmt: skip
def test_a_stage_loads_no_library_that_its_key_does_not_name(stage):
    """What it loads through others included; in a process of its own."""
    functions = {
        "add_noise": CORRUPTIONS.values(),
        "measure_given": [metric.function for metric in METRICS],
        "measure_baseline": [FunctionRef(f"{method.module}:fit") for method in METHODS
                             if method.module],
        "render": [figure.draw for figure in FIGURES],
    }.get(stage, [])  # fmt: skip
    names = json.dumps([function.name for function in functions])
    done = subprocess.run(
        [sys.executable, "-c", LOADED, stage, names], cwd=HOME, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1])) - sys.stdlib_module_names
    brought_by = importlib.metadata.packages_distributions()
    # Keras loads pandas if it is there, and pandas Arrow, for text columns; whoever reads or writes
    # tables imports them by name
    behind = {"train": {"pyarrow"}, "draw_nights": {"pyarrow"}, "draw_pareto": {"pyarrow"},
              "draw_rates": {"pyarrow"}, "measure_rate": {"pyarrow"},
              "measure_linear_rates": {"pyarrow"}}  # fmt: skip
    optional = OPTIONAL | behind.get(stage, set())
    named = libraries(stage, functions=list(functions)) | library_versions(optional).keys()
    assert not {
        module
        for module in loaded - {"flows", "tasks", "autoencoders"}
        for name in brought_by.get(module, [])
        if name.lower().replace("_", "-") not in named
    }


@pytest.mark.parametrize("stage", ["ingest", "prepare", "add_noise", "evaluate"])
def test_stages_without_a_network_do_not_depend_on_tensorflow(stage):
    """An update of TensorFlow reads no data again."""
    assert not {"tensorflow", "keras"} & libraries(stage)


def test_a_library_stands_in_the_key_with_its_version():
    """Under the name of the distribution that brings it, e.g. pillow for PIL."""
    found = examine("draw_glyphs", "tasks.draw_glyphs", {})[0].libraries

    assert found["pillow"] == importlib.metadata.version("pillow")
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"


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


def test_what_only_type_checkers_read_does_not_count(package):
    """Neither its imports nor its text; the `else` of it is what runs, and counts."""
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from autoencoders import errors\n    SIZE = 1\n"
        f"else:\n    from {package.name} import other\n    SIZE = 2\n"
    )
    names = {"plain": text, "hint": text.replace("SIZE = 1", "SIZE = 3"),
             "ran": text.replace("SIZE = 2", "SIZE = 4")}  # fmt: skip
    for name, content in {**names, "other": "VALUE = 1\n"}.items():
        (package / f"{name}.py").write_text(content)

    track(package.name)
    reached = examine("write", f"{package.name}.plain", {})[1]
    code = {
        name: [
            digest
            for definition, digest in parts.code.items()
            if definition.startswith(f"{package.name}.{name}:")
        ]
        for name in names
        for parts in [examine("write", f"{package.name}.{name}", {})[0]]
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
        code = examine("measure_given", "tasks.measure_given", {"exam": value})[0].code
        assert "autoencoders.metrics.mean_absolute_error:mean_absolute_error" in code


@pytest.mark.parametrize(
    "value", [Path("a"), np.zeros(2), np.float32(1), {1, 2}, b"bytes", print, object], ids=repr
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


def parts_of(package, text, **others):
    """Return the key parts of a stage in a module of this text, beside other modules."""
    for name, content in {**others, "made": text}.items():
        (package / f"{name}.py").write_text(content)
    track(package.name)
    return examine("write", f"{package.name}.made", {})[0]


FLAG = "from typing import TYPE_CHECKING\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FLAG + "if not TYPE_CHECKING:\n    A = 1", FLAG + "if not TYPE_CHECKING:\n    A = 2"),
        (FLAG + "if TYPE_CHECKING or 1:\n    A = 1", FLAG + "if TYPE_CHECKING or 1:\n    A = 2"),
        (FLAG + "if TYPE_CHECKING:\n    A = 0\nelif True:\n    A = 1",
         FLAG + "if TYPE_CHECKING:\n    A = 0\nelif True:\n    A = 2"),
        (FLAG + "if TYPE_CHECKING:\n    A = 0\nelif 0:\n    A = 1\nelse:\n    A = 2",
         FLAG + "if TYPE_CHECKING:\n    A = 0\nelif 0:\n    A = 1\nelse:\n    A = 3"),
        (FLAG + "A = 1 if TYPE_CHECKING else 2", FLAG + "A = 1 if TYPE_CHECKING else 3"),
        ("TYPE_CHECKING = True\nif TYPE_CHECKING:\n    A = 1",
         "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    A = 2"),
        (FLAG + "TYPE_CHECKING = 1\nif TYPE_CHECKING:\n    A = 1",
         FLAG + "TYPE_CHECKING = 1\nif TYPE_CHECKING:\n    A = 2"),
        ("from os import name as TYPE_CHECKING\nif TYPE_CHECKING:\n    A = 1",
         "from os import name as TYPE_CHECKING\nif TYPE_CHECKING:\n    A = 2"),
        (FLAG + "def f(TYPE_CHECKING):\n    if TYPE_CHECKING:\n        return 1",
         FLAG + "def f(TYPE_CHECKING):\n    if TYPE_CHECKING:\n        return 2"),
        ("a = 1\nb = a\na = 2\n", "a = 1\na = 2\nb = a\n"),
        ("import os\nimport sys\n", "import sys\nimport os\n"),
        ("print(1)\nx = 1\n", "x = 1\nprint(1)\n"),
        ("x = 1\nif x:\n    pass\n", "if 1:\n    pass\nx = 1\n"),
        ("def f():\n    'A'\nx = f.__doc__\n", "def f():\n    'B'\nx = f.__doc__\n"),
        ('''"""A"""\nx = __doc__\n''', '''"""B"""\nx = __doc__\n'''),
        ("import inspect\ndef f(): ...\nx = inspect.getsource(f)  # a",
         "import inspect\ndef f(): ...\nx = inspect.getsource(f)  # b"),
        ("from inspect import getdoc as read\ndef f():\n    'a'\n",
         "from inspect import getdoc as read\ndef f():\n    'b'\n"),
    ],
)  # fmt: skip
def test_whatever_can_run_otherwise_has_another_key(package, first, second):
    """Branches beside a check for types, the order of statements, texts that code reads."""
    assert parts_of(package, first).key != parts_of(package, second).key


def test_a_docstring_of_another_module_counts_if_code_reads_docstrings(package):
    """Whoever reads it."""
    text = f"from {package.name} import other\nx = other.f.__doc__\n"
    keys = {parts_of(package, text, other=f'def f():\n    "{doc}"\n').key for doc in "ab"}

    assert len(keys) == 2


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nm = importlib.import_module('a' + 'b')",
        "from importlib import import_module as load\n",
        "m = __import__('json')", "exec('x = 1')", "x = eval('1')",
        "import runpy\nrunpy.run_path('a.py')",
        "from pathlib import Path\nx = Path(__file__).with_name('table.csv').read_text()",
    ],
)  # fmt: skip
def test_code_that_no_key_can_see_is_refused(package, text):
    """It names the file and says what to do instead."""
    with pytest.raises(UnseenCodeError, match=r"made\.py: (imports|runs|reads).*FunctionRef"):
        parts_of(package, text)


@pytest.mark.parametrize(
    "text",
    [
        "from os.path import *", "from importlib import resources", "import importlib.resources",
        "from importlib.util import spec_from_file_location",
        "x = (lambda: 0).__code__.co_filename",
        "import inspect\nx = inspect.getfile(print)", "x = __spec__.origin",
    ],
)  # fmt: skip
def test_more_ways_around_the_key_are_refused(package, text):
    """Whatever a module lists, places in the file system, files beside the code."""
    with pytest.raises(UnseenCodeError):
        parts_of(package, text)


def test_a_module_that_is_used_through_its_package_counts(package):
    """Even if somebody else has imported it."""
    text = f"import {package.name}\nx = {package.name}.hidden.VALUE\n"
    keys = {parts_of(package, text, hidden=f"VALUE = {n}\n").key for n in (1, 2)}

    assert len(keys) == 2


def test_a_compiled_module_in_the_place_of_source_is_refused(package, tmp_path):
    """Its code is in no key."""
    (package / "late.py").write_text("VALUE = 1\n")
    py_compile.compile(str(package / "late.py"), cfile=str(package / "late.pyc"))
    (package / "late.py").unlink()
    track(package.name)

    with pytest.raises(UnseenCodeError, match=r"late\.pyc: a compiled module"):
        __import__(f"{package.name}.late")


def test_a_module_reloaded_with_other_code_is_refused(package):
    """Other modules still hold what they have imported from it."""
    (package / "late.py").write_text("VALUE = 1\n")
    track(package.name)
    late = __import__(f"{package.name}.late").late
    importlib.reload(late)
    (package / "late.py").write_text("VALUE = 2\n")

    with pytest.raises(EditedError, match="Restart the process"):
        importlib.reload(late)


def test_stages_of_one_name_have_keys_of_their_own(package):
    """The module counts, and a function must be what its module knows by its name."""
    text = "from tasks.engine.handles import stage\n@stage\ndef write(output):\n    pass\n"
    for name in ("first", "second"):
        other = "second" if name == "first" else "first"
        (package / f"{name}.py").write_text(
            text + f"def later():\n    from {package.name} import {other}\n"
        )
    track(package.name)
    keys = {examine("write", f"{package.name}.{name}", {})[0].key for name in ("first", "second")}
    made = stage(lambda output: None)

    assert len(keys) == 2
    with pytest.raises(TypeError, match="top level"):
        stage_of(made)


class WithMethod(BaseModel):
    """Settings with behaviour."""

    size: int = 1

    @property
    def double(self):
        """Twice the size."""
        return 2 * self.size


class WithFunction(BaseModel):
    """Settings with a reference."""

    function: FunctionRef = FunctionRef("autoencoders.metrics.quality:psnr")


@pytest.mark.parametrize("settings", [WithMethod(), WithFunction()])
def test_settings_that_are_more_than_values_are_refused(settings):
    """Code and references in a model would not be part of the key."""
    with pytest.raises(TypeError, match="`noise"):
        stage_of(add_noise).key_parts({**noise_inputs(CORRUPTIONS["gaussian"]), "noise": settings})


def test_files_whose_names_have_dots_are_refused():
    """They would share a name with files of an inner mapping."""
    with pytest.raises(TypeError, match="without dots"):
        examine("write", "tasks.add_noise", {"files": {"a": {"b": REF}, "a.b": REF}})


def test_a_library_exchanged_while_a_stage_ran_is_noticed():
    """Before anything is published."""
    versions = library_versions(frozenset({"numpy"}))

    require_same_versions(versions)
    with pytest.raises(EditedError, match=r"numpy was 0\.1 when this began"):
        require_same_versions({**versions, "numpy": "0.1"})


def test_another_copy_of_a_library_on_the_path_counts_by_its_content(tmp_path):
    """It runs instead of the installed one."""
    code = (
        "from tasks.engine.libraries import library_versions as v\n"
        "print(v(frozenset(['termcolor'])))"
    )
    (tmp_path / "termcolor").mkdir()
    shown = []
    for content in (None, "VALUE = 1\n", "VALUE = 2\n"):
        if content:
            (tmp_path / "termcolor" / "__init__.py").write_text(content)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path) if content else ""}
        shown.append(
            subprocess.check_output([sys.executable, "-c", code], cwd=HOME, env=environment)
        )

    assert len(set(shown)) == 3


def test_methods_that_are_only_called_like_such_code_are_no_reason(package):
    """Of a data frame, say."""
    assert parts_of(package, "def f(frame):\n    return frame.eval('a + b')\n").key


def test_a_library_without_a_version_counts_by_its_files(package, tmp_path, monkeypatch):
    """As one that somebody copied into a folder on the path."""
    library = tmp_path / "copied_library"
    library.mkdir()
    versions = []
    for content in ("VALUE = 1\n", "VALUE = 2\n"):
        (library / "__init__.py").write_text(content)
        library_versions.cache_clear()
        versions.append(parts_of(package, "import copied_library\n").libraries["copied_library"])

    assert len(set(versions)) == 2
    assert (
        parts_of(package, "import no_such_library_1\n").libraries["no_such_library_1"] == "absent"
    )


def test_optimised_code_has_another_key(package):
    """Without its assertions it is other code."""
    code = "from tasks.engine.libraries import library_versions as v; print(v(frozenset()))"
    plain, optimised = (
        subprocess.check_output([sys.executable, *flags, "-c", code], cwd=HOME)
        for flags in ([], ["-O"])
    )

    assert plain != optimised
