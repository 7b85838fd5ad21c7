"""No variable and no configuration file changes a result under the same key.

The table of docs/environment.md is what is tested: every row, as it says.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import matplotlib
import pytest
from fontTools.ttLib import TTFont

from tasks.runtime import ONEDNN
from tests.support import HOME, write_dataset

ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
    for line in (HOME / "docs" / "environment.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]
VARIABLES = {
    name: (value, how) for name, value, _, _, how in ROWS if re.fullmatch("[A-Z0-9_]+", name)
}
PLAIN = {name: value for name, value in os.environ.items() if name not in VARIABLES}
MATPLOTLIBRC = "figure.facecolor: red\nfont.size: 30\nsavefig.bbox: tight\ntext.usetex: True\n"
KERAS_JSON = {
    "floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"
}  # fmt: skip
ASK = """
import json, os, sys
from pathlib import Path
import flows
from tasks.drawing import drawing_defaults
from tasks.runtime import neutralise_environment
from tasks.engine.key import examine
with drawing_defaults():
    pass
removed = neutralise_environment()
parts, _ = examine("add_noise", "tasks.add_noise", {})
print(json.dumps({"removed": removed, "left": dict(os.environ), "key": parts.environment,
                  "python": parts.libraries["python"]}))
"""


def ask(environment: dict[str, str]) -> dict[str, object]:
    """Return what becomes of an environment in a process that computes and draws."""
    with tempfile.TemporaryDirectory() as folder:  # what a variable names may be made in it
        done = subprocess.run(
            [sys.executable, "-c", ASK], env={**environment, "PYTHONPATH": str(HOME)}, cwd=folder,
            capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_variable_of_the_table_is_handled_as_it_says():
    """Removed, set, in the key, or left alone."""
    given = {name: value for name, (value, _) in VARIABLES.items()}
    only = given.pop("NPY_ENABLE_CPU_FEATURES")  # NumPy refuses it beside its opposite
    found = ask({**PLAIN, **given})
    enabled = ask({**PLAIN, "NPY_ENABLE_CPU_FEATURES": only})
    for where in ("left", "key"):
        found[where]["NPY_ENABLE_CPU_FEATURES"] = enabled[where]["NPY_ENABLE_CPU_FEATURES"]

    for name, (value, how) in VARIABLES.items():
        left = found["left"].get(name)
        if how.startswith("removed, set to "):
            assert left == how.rpartition(" ")[2], name
        elif how.startswith("removed"):
            assert left is None, name
        elif how.startswith("set: "):
            continue  # not the variable, but what it leads to: whole runs below
        elif how.startswith("set"):
            assert left not in (None, value), name
        elif name == "PYTHONOPTIMIZE":
            assert found["python"].endswith(" -O")
        else:
            assert left == value, name
            assert (name in found["key"]) == (how == "in the key"), name
    assert len(VARIABLES) > 40


def test_variables_that_change_nothing_are_left_alone():
    """What is logged, how memory is managed, and another program's of the same prefix."""
    harmless = {
        "TF_CPP_MIN_LOG_LEVEL": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_VAR_region": "a",
        "TF_CLI_CONFIG_FILE": "/dev/null", "ONEDNN_VERBOSE": "0",
    }  # fmt: skip
    found = ask({**PLAIN, **harmless})

    assert found["removed"] == []
    assert {name: found["left"][name] for name in harmless} == harmless


@pytest.mark.long
def test_a_process_that_has_imported_tensorflow_with_such_a_variable_is_refused():
    """It cannot be undone; one line says what to do."""
    code = (
        "import tensorflow; import flows; from tasks.runtime import import_tensorflow; "
        "import_tensorflow(2, print)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True,
        env={**PLAIN, "ONEDNN_DEFAULT_FPMATH_MODE": "BF16"},
    )  # fmt: skip

    assert done.returncode == 1
    assert "imported in this process with ONEDNN_DEFAULT_FPMATH_MODE=BF16" in done.stderr
    assert "Unset ONEDNN_DEFAULT_FPMATH_MODE, restart the process" in done.stderr


def test_a_process_that_computes_with_other_threads_is_refused():
    """The key would say another number."""
    code = (
        "import flows; from tasks.runtime import import_tensorflow; import_tensorflow(1, print); "
        "import tensorflow as tf; tf.constant(1) + 1; import_tensorflow(1, print); "
        "import_tensorflow(2, print)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HOME, env=PLAIN, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "but not with 2 threads" in done.stderr


def first_imported(onednn: str, then: str = "pass") -> subprocess.CompletedProcess[str]:
    """Set up TensorFlow in a process that has imported it already, as a notebook may have."""
    code = (
        f"import os; os.environ['TF_ENABLE_ONEDNN_OPTS'] = '{onednn}'; import tensorflow as tf; "
        f"{then}; from tasks.runtime import import_tensorflow; import_tensorflow(1, print)"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=HOME, env=PLAIN, capture_output=True, text=True
    )


@pytest.mark.skipif(not ONEDNN, reason="TensorFlow has no oneDNN here")
def test_a_process_without_onednn_is_refused_with_advice_that_helps():
    """As it is by itself on processors without AVX-512."""
    refused = first_imported("0", "del os.environ['TF_ENABLE_ONEDNN_OPTS']")
    followed = first_imported("1")

    assert refused.returncode == 1
    assert "computes without oneDNN" in refused.stderr
    assert "set TF_ENABLE_ONEDNN_OPTS=1 in its environment before" in refused.stderr
    assert followed.returncode == 0, followed.stderr


def test_options_of_the_optimizer_are_refused_and_switches_undone():
    """The optimizer is TensorFlow's, which rewrites graphs."""
    options = "tf.config.optimizer.set_experimental_options({'layout_optimizer': True})"
    switches = "tf.config.run_functions_eagerly(True); tf.config.optimizer.set_jit(True)"
    refused, undone = first_imported("1", options), first_imported("1", switches)

    assert refused.returncode == 1
    assert "optimizer were set in this process: layout_optimizer." in refused.stderr
    assert undone.returncode == 0, undone.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small data."""
    return write_dataset(tmp_path_factory.mktemp("data"), side=12)


def computed(folder, data, environment=None, cwd=None, prefix=()) -> dict[str, dict[str, str]]:
    """Run the whole pipeline in a process of its own; return its keys and files."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.system.plain_run", data, folder / "store"],
        cwd=cwd or HOME, capture_output=True, text=True, timeout=280,
        env={**PLAIN, "PYTHONPATH": str(HOME), **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "store")
    return json.loads(done.stdout.splitlines()[-1])


def differences(found, plain) -> dict[str, list[str]]:
    """Return which steps have other keys, and which files other bytes."""
    return {
        what: [name for name in plain[what] if found[what][name] != plain[what][name]]
        for what in ("keys", "files")
    }


NONE = {"keys": [], "files": []}


@pytest.fixture(scope="module")
def plain(tmp_path_factory, data):
    """What a run in a plain environment makes."""
    return computed(tmp_path_factory.mktemp("plain"), data)


@pytest.fixture
def hostile(tmp_path):
    """A folder whose configuration files want everything otherwise, and a font of a known name."""
    for folder in ("cwd", "config", "home/.keras", "home/.config/matplotlib", "home/.fonts"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("cwd", "config", "home/.config/matplotlib"):
        (tmp_path / folder / "matplotlibrc").write_text(MATPLOTLIBRC)
    (tmp_path / "home/.keras/keras.json").write_text(json.dumps(KERAS_JSON))
    fonts = f"{matplotlib.get_data_path()}/fonts/ttf"
    with TTFont(f"{fonts}/DejaVuSerif.ttf") as font:
        for record in font["name"].names:
            if record.nameID in (1, 4, 16):
                record.string = "DejaVu Sans"
        font.save(tmp_path / "home/.fonts/DejaVuSans.ttf")
    return tmp_path


def everything(hostile) -> dict[str, str]:
    """Return all variables of the table that do not reach the key, and all files."""
    variables = {
        name: value
        for name, (value, how) in VARIABLES.items()
        if how != "in the key" and name != "MATPLOTLIBRC"
    }
    return {
        **variables,
        "HOME": str(hostile / "home"),
        "KERAS_HOME": str(hostile / "home" / ".keras"),
        "MATPLOTLIBRC": str(hostile / "config" / "matplotlibrc"),
        "MPLCONFIGDIR": str(hostile / "config"),
    }


@pytest.mark.long
def test_everything_at_once_leaves_keys_and_bytes_as_they_are(plain, hostile, data):
    """All variables and files of the table together, from a folder with a matplotlibrc."""
    found = computed(hostile, data, everything(hostile), cwd=hostile / "cwd")

    assert differences(found, plain) == NONE


WHOLE_RUNS = [
    "TF_ENABLE_ONEDNN_OPTS", "TF_SET_ONEDNN_FPMATH_MODE", "TF_XLA_FLAGS",
    "TF_NUM_INTRAOP_THREADS", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA",
    "KERAS_BACKEND", "OMP_NUM_THREADS", "PYTHONHASHSEED", "PANDAS_FUTURE_INFER_STRING",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE_RUNS)
def test_a_variable_alone_leaves_keys_and_bytes_as_they_are(plain, tmp_path, data, name):
    """One whole run for each of those that used to change results, or might."""
    found = computed(tmp_path, data, {name: VARIABLES[name][0]})

    assert differences(found, plain) == NONE


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "cwd", "config"])
def test_a_configuration_file_leaves_keys_and_bytes_as_they_are(plain, hostile, data, place):
    """That of the user, of the current folder, or of a variable."""
    environment, cwd = {}, None
    if place == "home":
        environment = {"HOME": str(hostile / "home")}
    elif place == "config":
        environment = {"MPLCONFIGDIR": str(hostile / "config")}
    else:
        cwd = hostile / "cwd"

    assert differences(computed(hostile, data, environment, cwd), plain) == NONE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"])
def test_what_may_be_chosen_is_in_the_key(plain, tmp_path, data, name):
    """Every step has another key; what it writes may be the same."""
    found = computed(tmp_path, data, {name: VARIABLES[name][0]})

    assert all(found["keys"][step] != key for step, key in plain["keys"].items())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset here")
def test_another_number_of_cores_has_another_key(plain, tmp_path, data):
    """Of what computes with TensorFlow; what comes before stays cached."""
    found = computed(tmp_path, data, prefix=("taskset", "--cpu-list", "0"))
    changed = {step for step, key in plain["keys"].items() if found["keys"][step] != key}

    assert {"train autoencoder", "train denoiser", "score denoiser", "score noisy"} <= changed
    assert not changed & {"ingest", "prepare train", "add noise test"}
