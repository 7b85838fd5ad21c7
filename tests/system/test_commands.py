"""The commands of README and docs: every block is run as it is written, in a fresh copy."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import HOME, free_port, write_dataset

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in HOME.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(
    r"^(make|export|sudo|docker|prefect|python|autoencoders|mlflow|pip|git|\.venv/bin/\w+) ",
    re.MULTILINE,
)
NOT_RUN = {
    "make test": "runs these tests",
    "make check": "continuous integration runs it; a copy has no tests to check",
    "sudo apt-get": "changes the machine",
    "sudo useradd": "changes the machine",
    "sudo chown": "changes the machine",
    "sudo install": "changes the machine",
    "sudo cp": "changes the machine; systemd-analyze verifies what is copied",
    "sudo systemctl": "needs a running systemd",
    "docker": "needs Docker; the Dockerfile is compared with the tree",
}
"""Commands that no test can run, by how they begin, and why."""
SERVER = re.compile(r"make server|-m flows\.ops\.server(?! deploy)")
STATE = """
trap 'export -p > "$STATE"' EXIT
"""


def commands(block: str) -> list[str]:
    """Return the commands of a block, each with its continued lines, without comments."""
    joined = re.sub(r"\\\n\s*", " ", block)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[str]:
    """Return the blocks of commands of a page."""
    text = (HOME / page).read_text(encoding="utf-8")
    return [block for language, block in BLOCK.findall(text) if language == "bash"]


@pytest.mark.parametrize("page", [*PAGES, "ARCHITECTURE.md"])
def test_every_block_with_a_command_is_marked_as_such(page):
    """So that none escapes the tests below."""
    text = (HOME / page).read_text(encoding="utf-8")
    unmarked = [block for language, block in BLOCK.findall(text) if language != "bash"]

    assert [block for block in unmarked if COMMAND.search(block)] == []


@pytest.mark.parametrize("page", [*PAGES, "ARCHITECTURE.md"])
def test_every_command_in_the_text_exists(page):
    """The targets of the Makefile, the commands of `autoencoders`, and their options."""
    text = (HOME / page).read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", (HOME / "Makefile").read_text(), re.MULTILINE)
    known = {
        node.name: ast.unparse(node).replace("_", "-")
        for node in ast.parse((HOME / "flows" / "cli.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    modules = {
        "run": "full", "denoise": "denoise", "export": "export", "retrain": "retrain",
        "champion": "champion_commands", "rollback": "champion_commands",
        "mlflow": "champion_commands",
    }  # fmt: skip
    for command, job in modules.items():
        known[command] = (HOME / "flows" / f"{job}.py").read_text().replace("_", "-")
    for target in re.findall(r"`make ([a-z][a-z-]*)", text):
        assert target in targets
    for command, options in re.findall(r"`autoencoders\s+([a-z]+)([^`]*)`", text):
        assert command in known
        for option in re.findall(r"--([a-z-]+)(?![a-z.-])", options):  # not those with a dot
            assert option in known[command]


class Reader:
    """Somebody who types in what a page says, block by block, in one terminal and then others."""

    def __init__(self, folder: Path, *, sudo: Path | None = None, **environment: str) -> None:
        """Copy the project, with a set-up `.venv` and data for which a run takes seconds."""
        self.project = folder / "project"
        listed = subprocess.run(["git", "ls-files"], cwd=HOME, capture_output=True, text=True)
        for name in listed.stdout.splitlines():
            if not name.startswith(("data/sample/", "tests/")):
                (self.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(HOME / name, self.project / name)
        write_dataset(self.project / "data" / "sample", test=100, side=28)  # enough to decide on
        write_dataset(folder / "data", side=28)
        (self.project / ".venv").symlink_to(sys.prefix)
        for name in ("requirements.lock", "requirements-mlflow.lock", "pyproject.toml"):
            os.utime(self.project / name, (0, 0))  # older than the set-up: nothing to install
        self.port = free_port()
        self.words = {"FOLDER": str(folder / "data"), "4200": str(self.port), "SERVER": "127.0.0.1",
                      "RUN": "latest", "A B": "latest latest"}  # fmt: skip
        self.environment = {
            "PATH": os.pathsep.join(
                [*([str(sudo)] if sudo else []), "/usr/local/bin:/usr/bin:/bin"]
            ),
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(self.project),  # the .venv has the packages of the tests' checkout
            "PREFECT_SERVER_API_PORT": str(self.port),
            "AUTOENCODERS_TRAININGS": "64",
            **environment,
        }
        (folder / "home").mkdir()
        self.state = folder / "state"
        self.log = folder / "server.log"
        self.server: subprocess.Popen[bytes] | None = None
        self.skipped: list[str] = []

    def read(self, block: str) -> str:
        """Run a block, all but what `NOT_RUN` names; keep what it exports; return its output."""
        output = ""
        for command in commands(block):
            line = re.sub(r"\s+#.*", "", command)
            if any(line.startswith(start) for start in NOT_RUN):
                self.skipped.append(line)
                continue
            for word, meaning in self.words.items():
                line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", meaning, line)
            if SERVER.search(line):
                self.serve(line)
            else:
                output += self.run(line)
        return output

    def run(self, line: str) -> str:
        """Run one command in a shell that has what the earlier ones exported."""
        done = subprocess.run(
            ["bash", "-ec", STATE + self.exported() + line], cwd=self.project, timeout=600,
            env={**self.environment, "STATE": str(self.state)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}\n{self.logged()[-3000:]}"
        return done.stdout

    def serve(self, line: str) -> None:
        """Start a server in a terminal of its own, and wait until it says that it is ready."""
        self.stop()
        before = self.logged().count("Ctrl-C stops it")
        with self.log.open("a") as log:
            self.server = subprocess.Popen(
                ["bash", "-ec", self.exported() + "exec " + line], cwd=self.project, stdout=log,
                env=self.environment, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(720):
            if self.logged().count("Ctrl-C stops it") > before:
                return
            assert self.server.poll() is None, self.logged()[-5000:]
            time.sleep(0.25)
        raise AssertionError(self.logged()[-5000:])

    def stop(self) -> None:
        """Type Ctrl-C into the server's terminal."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGINT)
            assert self.server.wait(90) != 0
            self.server = None

    def exported(self) -> str:
        """Return what the shell starts with."""
        return f". {self.state}\n" if self.state.exists() else ""

    def logged(self) -> str:
        """Return what the servers have said so far."""
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def reader(tmp_path):
    """A reader who stops the server in the end."""
    reader = Reader(tmp_path)
    try:
        yield reader
    finally:
        reader.stop()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.long if page == "CONTRIBUTING.md" else pytest.mark.slow)
     for page in PAGES if page != "docs/operations.md"],
)  # fmt: skip
def test_the_commands_of_a_page_run_as_written(reader, page):
    """One after the other, in a fresh copy of the project; those of cache.md have a run."""
    if not (found := blocks(page)):
        pytest.skip("it has no commands")
    if page == "docs/cache.md":
        reader.read("make quick")
        reader.words["FOLDER"] = str(reader.project.parent / "saved")
    for block in found:
        reader.read(block)

    assert (reader.project / "artifacts" / "latest").exists() == (page != "CONTRIBUTING.md")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_server_commands_of_operations_run_as_written(reader):
    """From the set-up to a schedule that is on: on one server, with one database."""
    found = blocks("docs/operations.md")
    last = next(number for number, block in enumerate(found) if "schedule resume" in block)
    for block in found[:last]:
        reader.read(block)
    said = reader.read("make deploy")
    reader.words["ID"] = re.search(r"resume retrain/nightly (\S+)", said)[1]
    reader.read(found[last])

    assert "is on" in reader.read("make deploy")
    listed = reader.read("COLUMNS=200 prefect flow-run ls --limit 50")
    assert "COMPLETED" in listed
    assert "http://127.0.0.1:" in reader.read("prefect deployment run full/quick")
    assert reader.logged().count("Ctrl-C stops it") == 1


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(sys.prefix) / ".ready-mlflow").exists(), reason="`make mlflow` adds it"
)
def test_the_commands_of_a_model_registry_run_as_written(reader):
    """MLflow is told of a run, and its pages open."""
    found = blocks("docs/operations.md")
    first = next(number for number, block in enumerate(found) if "make mlflow" in block)
    reader.read(found[0])
    reader.run("autoencoders retrain --preset quick")
    said = reader.read(found[first])
    assert re.search(r"is up to date; new there: \S+-quick\.\nThe champion is \S+-quick\.", said)

    *quiet, server = commands(found[first + 1])
    reader.read("\n".join(quiet))
    port = free_port()
    pages = subprocess.Popen(
        ["bash", "-ec", f"{reader.exported()}exec {server.replace('5000', str(port))}"],
        cwd=reader.project, env=reader.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        reader.run(f"curl --silent --fail --retry 100 --retry-connrefused --retry-delay 1 "
                   f"http://127.0.0.1:{port}/health")  # fmt: skip
        page = reader.run(f"curl --silent --fail http://127.0.0.1:{port}/")
    finally:
        os.killpg(pages.pid, signal.SIGTERM)
        pages.wait(60)
    assert "<title>MLflow</title>" in page


@pytest.mark.slow
def test_the_commands_of_a_small_teams_server_run_as_written(tmp_path, postgres):
    """PostgreSQL's database and user, a login, a server on every address, another worker."""
    (tmp_path / "bin").mkdir()
    sudo = tmp_path / "bin" / "sudo"  # becoming the database's owner, without becoming root
    sudo.write_text('#!/bin/sh\nshift 2\nPGUSER=postgres exec "$@"\n')
    sudo.chmod(0o755)
    reader = Reader(
        tmp_path, sudo=sudo.parent, PGHOST="127.0.0.1", PGPORT=str(postgres),
    )  # fmt: skip
    found = blocks("docs/operations.md")
    first = next(number for number, block in enumerate(found) if "postgresql" in block)
    try:
        reader.read(found[0])
        for block in found[first : first + 2]:
            reader.read(block)
        login = re.search(
            r'PREFECT_API_AUTH_STRING="(.*)"', reader.state.read_text()
        )[1]  # fmt: skip
        reader.words["USER:PASSWORD"] = login
        other, worker = commands(found[first + 2])
        reader.read(other)
        assert login not in worker
        started = subprocess.Popen(
            ["bash", "-ec", reader.exported() + "exec " + worker], cwd=reader.project,
            env=reader.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert any("started!" in line for line in started.stdout)
            reader.read("prefect deployment run full/quick --watch")
        finally:
            started.kill()
            started.wait()
        tables = reader.run(
            'psql "$(echo $PREFECT_SERVER_DATABASE_CONNECTION_URL | sed s/+asyncpg//)" '
            "--command 'SELECT state_type FROM flow_run'"
        )
        assert "COMPLETED" in tables
    finally:
        reader.stop()


def test_only_what_no_test_can_run_is_left_out():
    """Each exception is there for a command of a page."""
    text = "\n".join(line for page in PAGES for block in blocks(page) for line in commands(block))

    assert [start for start in NOT_RUN if not re.search(f"^{start}", text, re.MULTILINE)] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_systemd_unit_is_whole(tmp_path):
    """Systemd itself finds no fault with it, at this place and for this user."""
    unit = (HOME / "docs" / "autoencoders.service").read_text()
    interpreter = "/srv/autoencoder-pipeline/.venv/bin/python"
    here = tmp_path / "autoencoders.service"
    here.write_text(
        unit.replace(interpreter, sys.executable)
        .replace("/srv/autoencoder-pipeline", str(HOME))
        .replace("User=autoencoders", "User=root")
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for name in ("Description", "Wants", "After", "User", "Restart", "EnvironmentFile"):
        assert re.search(rf"^{name}=\S", unit, re.MULTILINE)


def test_the_image_holds_what_it_copies_and_what_runs_in_it():
    """What the Dockerfile copies is in the tree and not ignored, and its packages are locked."""
    lines = commands((HOME / "Dockerfile").read_text())
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    ignored = (HOME / ".dockerignore").read_text().splitlines()
    for name in (name for names in copied for name in names):
        assert (HOME / name).exists()
        assert f"!{name}" in ignored
    lock = (HOME / "requirements-runtime.lock").read_text()
    for package in ("prefect", "asyncpg", "httpx", "pyyaml", "hatchling", "editables"):
        assert re.search(rf"^{package}==", lock, re.MULTILINE), package
    for package in ("pytest", "ruff", "mypy"):
        assert not re.search(rf"^{package}==", lock, re.MULTILINE), package
    assert "procps" in "".join(lines), "flows/ops/attached.py calls ps"
    assert {"flows", "tasks", "autoencoders", "prefect.yaml"} <= {n for ns in copied for n in ns}
