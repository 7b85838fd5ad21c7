"""Random damage in random places of a store: every command and the next run cope with it."""

import contextlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from flows import cli
from flows.advice import USER_ERRORS
from tasks.engine.files import sha256_of
from tasks.engine.sources import track
from tests.engine.toy import toy
from tests.support import IMAGE, contents, write_dataset

PLACES = ("active", "aside", "checkpoints", "latest", "locks", "locks/store", "runs", "tmp",
          "double", "add", "checkpoints/x", "active/20250101-000000-x.json",
          "runs/20250101-000000-x", "runs/20250101-000000-x/run.json", "locks/run-x", "tmp/x",
          "new_stage")  # fmt: skip
TEXTS = (b"", b"\n", b"{}", b"[]", b"1", b"null", b'{"a": ', b"\xff\xfe\x00", b"[" * 9999,
         b'{"version": 99}', b'{"parts": {"engine": 99}}',
         b'{"files": {"../../x": 1}}')  # fmt: skip
VALUES = (None, 0, -1, 1e300, "", "x", "../../x", [], {}, [1], {"a": {"b": []}})


def delete(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def put_link(rng, path):
    path.symlink_to(rng.choice(["nowhere", path.name, "..", "/dev/null", "../" * 20 + "tmp"]))


def put_file(rng, path):
    path.write_bytes(rng.choice(TEXTS))


def put_folder(rng, path):
    path.mkdir()
    (path / rng.choice(["run.json", "manifest.json", "notes.txt"])).write_bytes(rng.choice(TEXTS))


def put_pipe(rng, path):
    os.mkfifo(path)


def put_copy(rng, path):
    """A file from elsewhere in the store."""
    files = [one for one in path.parents[1].rglob("*") if one.is_file() and not one.is_symlink()]
    if files:
        shutil.copyfile(rng.choice(sorted(files)), path)


def flip(rng, path):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(rng, path):
    os.truncate(path, rng.randrange(path.stat().st_size))


def edit_json(rng, path):
    """Change, add or remove one field anywhere in it."""
    value = json.loads(path.read_bytes())
    inner = value
    while isinstance(inner, dict) and inner:
        name = rng.choice(sorted(inner))
        if not isinstance(inner[name], dict) or rng.random() < 0.3:
            inner.pop(name) if rng.random() < 0.3 else inner.update({name: rng.choice(VALUES)})
            break
        inner = inner[name]
    path.write_text(json.dumps(value))


REPLACE = (put_link, put_file, put_folder, put_pipe, put_copy)
CHANGE = (flip, cut, edit_json)


def damage(rng, root):
    """Damage one place; return what was done, for the message of a failure."""
    found = sorted(path for path in root.rglob("*") if path.name != "notes.txt")
    path = rng.choice([*found, *(root / place for place in PLACES)])
    change = rng.choice([*REPLACE, *CHANGE, None])
    with contextlib.suppress(OSError, ValueError):  # not every change can be made everywhere
        if change in CHANGE:
            if path.is_file():  # a pipe that was put there would never answer
                change(rng, path)
        else:
            delete(path)
            if change is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                change(rng, path)
    return f"{change.__name__ if change else 'delete'} {path.relative_to(root)}"


def swap(rng, root):
    """Swap two files or folders of the store."""
    one, other = rng.sample(sorted(root.rglob("*")), 2)
    with contextlib.suppress(OSError):
        away = root.parent / "swapped"
        one.rename(away)
        other.rename(one)
        away.rename(other)
    return f"swap {one.relative_to(root)} {other.relative_to(root)}"


def commands(root, data):
    """Yield every command line that looks into the store."""
    where = ["--artifacts", str(root)]
    yield ["runs", "--json", *where]
    yield ["runs", *where]
    yield ["plan", "--data", str(data), *where]
    yield ["explain", "double", *where]
    yield ["explain", "train", "--json", *where]
    yield ["compare", "latest", "latest", *where]
    yield ["save", "latest", str(root.parent / "saved"), *where]
    yield ["gc", "--keep-last", "1", "--dry-run", *where]
    yield ["verify", "--json", *where]
    yield ["gc", "--keep-last", "1", "--json", *where]


def copes(command):
    """Run a command in this process; return whether it ended with exit code 0 rather than 1."""
    try:
        cli.app(command, exit_on_error=False, print_error=False, result_action="return_value")
    except USER_ERRORS:
        return False
    return True


def require_true_digests(root):
    """Fail if `latest` states a sha256 that a file does not have."""
    manifest = json.loads((root / "latest" / "manifest.json").read_text())
    assert manifest["files"]
    for name, entry in manifest["files"].items():
        assert sha256_of((root / "latest" / name).resolve()) == entry["sha256"], name


@pytest.fixture
def number(tmp_path):
    """A text file with the number 7."""
    path = tmp_path / "seven.txt"
    path.write_text("7")
    return path


@pytest.fixture
def toy_store(prefect_server, tmp_path, number, monkeypatch):
    """A store with three runs of the toy, one of which has failed."""
    track("tests", "tasks")
    monkeypatch.setattr(cli, "MAIN_JOB", ("toy",))
    root = tmp_path / "toy"
    toy(number, root, 1)
    with pytest.raises(Exception, match=r"unsupported operand"):
        toy.with_options(validate_parameters=False)(number, root, None)
    toy(number, root, 2)
    return root


def fuzz(seed, before, run, data, capsys):
    """Damage a copy of a store, use it, run in it; return what was done."""
    rng = random.Random(seed)
    root = before.parent / f"round-{seed}"
    shutil.copytree(before, root, symlinks=True)
    done = [rng.choice([damage, damage, damage, swap])(rng, root) for _ in range(rng.randint(1, 4))]
    try:
        if rng.random() < 0.5:  # half of the runs meet the damage first
            for command in commands(root, data):
                copes(command)
            capsys.readouterr()
        run(root)
        require_true_digests(root)
        for command in commands(root, data):
            delete(root.parent / "saved")
            ended_well = copes(command)
            assert ended_well or command[0] in ("verify", "explain", "gc"), command
        assert copes(["verify", "--artifacts", str(root)])
        require_true_digests(root)
    except BaseException as error:
        error.add_note(f"seed {seed}: {done}")
        raise
    finally:
        capsys.readouterr()
    shutil.rmtree(root)
    return done


def fuzz_toy(seeds, toy_store, number, tmp_path, capsys):
    data = write_dataset(tmp_path / "data")

    def run(root):
        folder = Path(toy(number, root, 1))
        assert (folder / "number.txt").read_text() == "15"

    for seed in seeds:
        fuzz(seed, toy_store, run, data, capsys)


@pytest.mark.long
def test_a_few_random_damages_are_survived(toy_store, number, tmp_path, capsys):
    """The short form of the next test."""
    fuzz_toy(range(12), toy_store, number, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_random_damages_are_survived(toy_store, number, tmp_path, capsys):
    """No traceback, no wrong digest; the run that follows succeeds."""
    fuzz_toy(range(200), toy_store, number, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_random_damages_to_the_main_job_are_survived(prefect_server, tmp_path, capsys):
    """Its results are the same bytes as before."""
    from flows.full import full

    data = write_dataset(tmp_path / "data", side=12)
    settings = {"image": IMAGE, "training": {"epochs": 1}}
    before = tmp_path / "main"
    full(data, "reference", settings, before)
    expected = contents(before / "latest")

    def run(root):
        full(data, "reference", settings, root)
        assert contents(root / "latest") == expected

    for seed in range(1000, 1012):
        fuzz(seed, before, run, data, capsys)
