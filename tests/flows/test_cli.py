"""The command line beside the flows, on a store that real runs have filled."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from flows import cli
from flows.advice import USER_ERRORS, in_words, read_in
from tasks.engine.journal import unfinished_runs
from tasks.engine.published import finished_runs
from tasks.engine.store import Store
from tests.browser import WINDOWS
from tests.support import (
    IN_PROCESS,
    METHODS,
    SMALL,
    STEPS,
    Project,
    contents,
    write_dataset,
)

OPTIONS = (*SMALL[:4], "--training.epochs", 1, "--noise.factor", 0.3)
MEASURING = ("measure_given", "measure_baseline", "measure_network")
SHOWN = [f"draw {figure}" for figure in ("reconstructions", "denoising", "score distribution",
                                         "robustness", "class scores", "extremes")]  # fmt: skip
"""Figures of what methods made or reached."""


@pytest.fixture(scope="module")
def project(tmp_path_factory, server_environment):
    """A project with two finished runs."""
    project = Project.create(tmp_path_factory.mktemp("project"), server_environment)
    for factor in (0.5, 0.3):
        project.full(*OPTIONS[:-1], factor)
    return project


@pytest.fixture
def said(project, capsys):
    """Return a function that runs a command on the project's store in this process, which takes no
    seconds to start, and returns what it says: its output, or the error that it must end with."""

    def run(*arguments, fails=False):
        command = [str(one) for one in arguments]
        if "--artifacts" not in command:
            command += ["--artifacts", str(project.folder / "artifacts")]
        capsys.readouterr()
        try:
            cli.app(command, **IN_PROCESS)
        except USER_ERRORS as error:
            assert fails, error
            with read_in("command line"):
                return in_words(error)
        assert not fails
        return capsys.readouterr().out

    return run


@pytest.fixture
def planned(project, said):
    """Return a function that returns what `plan` says of every step."""

    def plan(*options):
        shown = said("plan", "--data", project.folder / "data", *options, "--json")
        return {row["step"]: row for row in json.loads(shown)}

    return plan


def test_plan_says_that_a_repetition_computes_nothing(planned):
    """The same options, the same files: everything is cached."""
    rows = planned(*OPTIONS)

    assert list(rows) == STEPS
    assert {row["state"] for row in rows.values()} == {"cached"}


def test_plan_runs_nothing(project, planned):
    """It adds no run and no artifact."""
    folder = project.folder
    before = contents(folder / "artifacts")
    planned(*OPTIONS[:-1], 0.7)

    assert contents(folder / "artifacts") == before


def test_plan_names_the_setting_that_changed(planned):
    """Old and new value, and what depends on whether the noise comes out differently."""
    rows = planned(*OPTIONS[:-1], 0.7)

    assert rows["prepare train"]["state"] == "cached"
    assert rows["add noise train"]["state"] == "compute"
    assert rows["add noise train"]["why"] == "setting noise.factor: 0.3 -> 0.7"
    assert rows["train autoencoder"]["state"] == "cached"
    assert rows["train denoiser"]["state"] == "depends"


@pytest.mark.slow
def test_plan_names_the_function_that_changed(project):
    """And an edited comment changes nothing."""
    path = "autoencoders/metrics/quality.py"
    undo = project.edit(
        path, "    error = clean.astype", "    # how far it is off\n    error = clean.astype"
    )
    assert {row["state"] for row in project.planned(*OPTIONS).values()} == {"cached"}
    undo()
    undo = project.edit(path, "    return -10 * np.log10", "    return -10.0 * np.log10")
    rows = project.planned(*OPTIONS)
    undo()

    assert {step: row["state"] for step, row in rows.items() if row["state"] != "cached"} == {
        **{f"score {method}": "compute" for method in METHODS},
        **dict.fromkeys(["measure codes", "evaluate", *SHOWN, "report"], "depends"),
    }  # fmt: skip
    assert rows["score denoiser"]["why"] == "psnr of autoencoders/metrics/quality.py changed"


@pytest.mark.slow
def test_an_edited_helper_is_computed_with_and_explained(project):
    """The run that follows an edit uses the new code, and says afterwards why it ran."""
    folder = project.folder
    undo = project.edit("autoencoders/figures/image_rows.py", "CELL = 0.85", "CELL = 0.5")
    try:
        before = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        project.full(*OPTIONS)
        done = finished_runs(Store(folder / "artifacts"))[-1].steps
        after = (folder / "artifacts/latest/figures/noise.png").read_bytes()
        [explained] = project.explained("draw noise")
    finally:
        undo()

    assert [step.step for step in done if step.state == "Completed"] == [
        "draw reconstructions", "draw noise", "draw denoising", "draw extremes",
    ]  # fmt: skip
    assert before != after
    assert explained["differences"] == [
        {"kind": "code", "name": "autoencoders.figures.image_rows:CELL", "old": "CELL = 0.85",
         "new": "CELL = 0.5"},
    ]  # fmt: skip


def test_explain_names_the_input_that_changed(project, said):
    """The second run had different noise, so the denoiser was trained again."""
    name = finished_runs(Store(project.folder / "artifacts"))[1].name
    shown = said("explain", "train denoiser", "--run", name)
    found = json.loads(said("explain", "add_noise", "--run", name, "--json"))

    assert "input" in shown
    assert "inputs" in shown
    assert [one["differences"][0]["name"] for one in found] == ["noise.factor"] * 2


def test_explain_of_a_cached_run_offers_the_run_that_computed(project, said):
    """With the command that shows it."""
    runs = finished_runs(Store(project.folder / "artifacts"))
    shown = said("explain", "ingest", "--run", runs[1].name)

    assert shown.splitlines() == [
        "ingest: taken from the cache",
        f"Last computed in {runs[0].name}: autoencoders explain ingest --run {runs[0].name}",
    ]


def test_explain_knows_its_steps(project, said):
    """An unknown name is answered with the known ones."""
    assert "train denoiser" in project.run("cli.py", "explain", "denoise", code=1)
    assert "no finished run" in said("explain", "train", "--run", "../x", fails=True)


def test_runs_lists_every_run(said):
    """With its settings, how much it computed and the error of its networks."""
    rows = json.loads(said("runs", "--json"))

    assert [row["noise"] for row in rows[:2]] == [0.5, 0.3]
    assert rows[0]["computed"] == f"{len(STEPS)}/{len(STEPS)}"
    assert rows[1]["computed"] == "21/31"
    assert all(0 < row["denoiser MSE"] < 1 for row in rows)
    shown = said("runs")
    for name in ("data", "seed", "took s", "denoiser dB"):
        assert f"{rows[0][name]:,.5g}" if name == "took s" else str(rows[0][name]) in shown
    assert rows[0]["data"] == "data"
    assert rows[0]["run"][:15] in shown


def test_compare_writes_a_page(project, said, tmp_path):
    """One file with both runs, their images side by side, and a verdict for each network."""
    first, second = (
        record.name for record in finished_runs(Store(project.folder / "artifacts"))[:2]
    )
    page = tmp_path / "compared.html"
    shown = said("compare", first, second, first, "--html", page)
    html = page.read_text()

    assert shown.splitlines()[-1] == str(page)
    # Less noise is easier, which makes no denoiser better
    assert re.search(
        r"^denoiser, B against A: not comparable, .* dB .* on other noise", shown, re.M
    )
    assert "autoencoder, B against A: the same" in shown
    assert "denoiser, C against A: the same" in shown
    assert html.count("<script") == 1
    assert html.count('<img src="data:image/png') == 7
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_a_browser_shows_a_comparison_without_complaint(
    project, said, browser, tmp_path, width, dark
):
    """On a desktop and on a phone: no message, no request, nothing wider than the window."""
    names = [record.name for record in finished_runs(Store(project.folder / "artifacts"))[:2]]
    page = tmp_path / "compared.html"
    said("compare", *names, names[0], "--html", page)

    assert browser.faults(page, width=width, dark=dark) == []


def test_any_number_of_runs_is_compared(project, tmp_path, capsys):
    """After Z come AA, AB, ...: in the table, for programs, and on the page."""
    artifacts = project.folder / "artifacts"
    names = [record.name for record in finished_runs(Store(artifacts))[:2]] * 14
    options = ["--artifacts", str(artifacts), "--html", str(tmp_path / "compared.html")]
    cli.app(["compare", *names, *options, "--json"], **IN_PROCESS)
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}

    assert [rows["noise.factor"][name] for name in ("A", "Z", "AA", "AB")] == [0.5, 0.3, 0.5, 0.3]
    assert list(rows["noise.factor"])[-1] == "AB"
    assert re.search(r"<th[^>]*>AB</th>", (tmp_path / "compared.html").read_text())


@pytest.mark.slow
def test_runs_of_other_data_are_not_compared_image_by_image(project, tmp_path):
    """Metrics are shown, a reason is given, and no verdict."""
    where = ["--artifacts", tmp_path / "artifacts"]  # a copy: the run would be one more for others
    shutil.copytree(project.folder / "artifacts", where[1], symlinks=True)
    data = write_dataset(tmp_path / "data", side=12, test=30)
    project.run("full.py", "--data", data, *OPTIONS, *where)
    first = finished_runs(Store(where[1]))[0].name
    rows = json.loads(project.run("cli.py", "compare", first, "latest", "--json", *where))

    assert {row["what"] for row in rows} >= {"denoiser mse", "denoiser psnr"}
    assert not any("against" in row["what"] for row in rows)


def test_report_prints_where_the_page_is(project, said):
    """Of the latest run, or of the one named; of none that is unknown."""
    runs = project.folder / "artifacts" / "runs"
    first = finished_runs(Store(project.folder / "artifacts"))[0].name

    assert said("report", first).strip() == str(runs / first / "report.html")
    assert "no finished run" in said("report", "unknown", fails=True)


def test_compare_shows_what_differs(project, said):
    """The noise factor, and the metrics of both."""
    artifacts = project.folder / "artifacts"
    first, second = (record.name for record in finished_runs(Store(artifacts))[:2])
    rows = {r["what"]: r for r in json.loads(said("compare", first, second, "--json"))}

    assert (rows["noise.factor"]["A"], rows["noise.factor"]["B"]) == (0.5, 0.3)
    assert "training.epochs" not in rows
    assert rows["noisy mse"]["change"] < 0
    assert rows["autoencoder mse"]["change"] == 0
    assert all({row["A"], row["B"]} != {None} for row in rows.values())

    shown = said("compare", first, second)
    assert "noisy mse" in shown
    assert "autoencoder mse" not in shown
    same = sum(row.get("change") == 0 for row in rows.values())
    assert f"{same} metrics are the same in both." in shown


@pytest.mark.slow
def test_verify_finds_what_was_changed_by_hand(project):
    """It names the file, ends with exit code 1, and the next run heals."""
    folder, run = project.folder, project.run
    metrics = (folder / "artifacts" / "latest" / "metrics.json").resolve()
    whole = metrics.read_bytes()
    metrics.chmod(0o644)
    metrics.write_bytes(whole.replace(b"0", b"1"))

    assert "1 damaged" in run("cli.py", "verify", code=1)
    assert project.planned(*OPTIONS)["evaluate"]["state"] == "compute"
    project.full(*OPTIONS)
    assert metrics.read_bytes() == whole
    assert "all intact" in run("cli.py", "verify")


@pytest.mark.long
def test_gc_keeps_what_the_last_runs_use(project, tmp_path):
    """It says what it frees; a dry run frees nothing; `latest` still opens afterwards."""
    folder, run = project.folder, project.run
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    (artifacts / "tmp" / "trash-young").mkdir()
    before = contents(artifacts)
    where = ("--artifacts", artifacts)
    would = json.loads(run("cli.py", "gc", "--keep-last", 1, "--dry-run", "--json", *where))
    assert contents(artifacts) == before
    did = json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where))

    assert did == would
    assert {"add_noise", "train", *MEASURING, "evaluate", "render", "report", "run"} == {
        one["kind"] for one in did
    }
    assert len(finished_runs(Store(artifacts))) == 1
    assert contents(artifacts / "latest") == contents(folder / "artifacts" / "latest")
    assert {row["state"] for row in project.planned(*OPTIONS, *where).values()} == {"cached"}
    assert json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", *where)) == []


@pytest.mark.long
def test_gc_keeps_what_a_run_under_way_uses(project, tmp_path, server_environment):
    """It may run while a pipeline trains, which then completes."""
    folder, run = project.folder, project.run
    artifacts = tmp_path / "artifacts"
    shutil.copytree(folder / "artifacts", artifacts, symlinks=True)
    process = subprocess.Popen(
        [sys.executable, folder / "flows" / "full.py", "--data", folder / "data",
         *map(str, OPTIONS[:4]), "--training.epochs", "3", "--noise.factor", "0.9",
         "--artifacts", artifacts],
        env=server_environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "autoencoder: epoch 1/3" in line:
            break
    [record] = unfinished_runs(Store(artifacts))
    freed = json.loads(run("cli.py", "gc", "--keep-last", 1, "--json", "--artifacts", artifacts))
    output = process.communicate(timeout=200)[0]

    assert record.state == "running"
    assert freed
    assert process.returncode == 0, output
    assert unfinished_runs(Store(artifacts)) == []


@pytest.mark.slow
def test_an_empty_store_is_no_error(project, tmp_path):
    """Before the first run there is nothing to list, verify or remove."""
    run = project.run
    where = ("--artifacts", tmp_path / "nothing")

    assert json.loads(run("cli.py", "runs", "--json", *where)) == []
    assert "0 artifacts" in run("cli.py", "verify", *where)
    assert "0.0 MB" in run("cli.py", "gc", "--keep-last", 3, *where)
    assert "latest: no finished run" in run("cli.py", "explain", "train", *where, code=1)


@pytest.fixture
def copy(project, tmp_path):
    """A copy of the artifacts, and the names of its first two runs."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(project.folder / "artifacts", artifacts, symlinks=True)
    return artifacts, [record.name for record in finished_runs(Store(artifacts))[:2]]


def test_a_broken_record_stops_no_command(copy, project, capsys):
    """It is named once, on standard error; everything else is shown, with exit code 0."""
    artifacts, [first, second] = copy
    newest = finished_runs(Store(artifacts))[-1].name
    path = artifacts / "runs" / first / "run.json"
    path.write_text(path.read_text()[:200])
    (artifacts / "active").mkdir(exist_ok=True)
    (artifacts / "active" / "20250101-000000-empty.json").touch()
    plan = ["plan", "--data", str(project.folder / "data"), *map(str, OPTIONS)]
    for command, output in (
        (["runs"], second[:15]), (plan, "train denoiser"), (["explain", "train"], "denoiser"),
        (["compare", second, "latest"], "the same in both"), (["gc", "--keep-last", "1"], "freed"),
        (["verify"], "all intact"),
    ):  # fmt: skip
        cli.app([*command, "--artifacts", str(artifacts)], **IN_PROCESS)
        shown = capsys.readouterr()
        assert output in shown.out, command
        if command[0] in ("compare", "verify"):
            continue
        assert shown.err.count(f"warning: {path}: ") == 1, command
        assert shown.err.count("20250101-000000-empty.json: ") == 1, command
    assert newest in {record.name for record in finished_runs(Store(artifacts))}


def test_a_run_without_metrics_is_listed_without_them(copy, capsys):
    """Verifying has removed them; the other runs keep theirs."""
    artifacts, [first, second] = copy
    metrics = (artifacts / "runs" / first / "metrics.json").resolve()
    shutil.rmtree(metrics.parent)
    where = ["--json", "--artifacts", str(artifacts)]
    cli.app(["runs", *where], **IN_PROCESS)
    shown = capsys.readouterr()
    rows = {row["run"]: row for row in json.loads(shown.out)}
    cli.app(["compare", first, second, *where], **IN_PROCESS)
    compared = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    cli.app(["explain", "evaluate", "--run", first, *where], **IN_PROCESS)
    [explained] = json.loads(capsys.readouterr().out)

    assert rows[first]["denoiser MSE"] is None
    assert rows[second]["denoiser MSE"] > 0
    assert shown.err.count("warning: ") == 1
    assert (compared["noisy mse"]["A"], compared["noisy mse"]["change"]) == (None, None)
    assert compared["noisy mse"]["B"] > 0
    assert "is lost" in explained["reason"]


def test_settings_of_another_form_are_listed(copy, capsys):
    """A record is a record whatever settings its flow has."""
    artifacts, [first, _] = copy
    path = artifacts / "runs" / first / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "settings": {"training": 7, "colour": "red"}}))
    cli.app(["runs", "--json", "--artifacts", str(artifacts)], **IN_PROCESS)

    [row] = [one for one in json.loads(capsys.readouterr().out) if one["run"] == first]
    assert (row["epochs"], row["noise"]) == (None, None)


@pytest.mark.parametrize("script", ["full.py", "cli.py"])
@pytest.mark.parametrize("option", ["--artifacts=", "--data="])
def test_an_empty_folder_name_is_refused(project, script, option):
    """As from a variable that is not set; it would mean the current folder, as `.` does."""
    command = ["plan"] if script == "cli.py" else []
    error = project.run(script, *command, option, code=2)

    assert f"Invalid value for {option[:-1]}: expected a folder, received an empty string" in error
    assert not (project.folder / "runs").exists()


def test_a_dot_is_the_current_folder(project):
    """What the user names is used."""
    assert json.loads(project.run("cli.py", "runs", "--json", "--artifacts", ".")) == []


@pytest.mark.parametrize("below", ["", pytest.param("x/y", marks=pytest.mark.slow)])
def test_a_file_as_artifacts_is_refused_in_one_line(project, said, tmp_path, below):
    """By every command, before anything is written."""
    (tmp_path / "file").write_text("mine")
    where = ("--artifacts", tmp_path / "file" / below)
    expected = f"{tmp_path}/file: expected a folder, found a file. "
    for command in (["verify"], ["gc", "--keep-last", 1, "--dry-run"], ["plan"]):
        error = said(*command, *where, fails=True)
        assert error.startswith(expected)
        assert "\n" not in error
    error = project.run("cli.py", "runs", *where, code=1).strip()
    assert error.startswith(f"error: {expected}")
    assert "\n" not in error


def test_a_run_is_saved_outside_of_the_artifacts(project, said, tmp_path):
    """Plain files with the same content; a folder that is in use is refused."""
    saved = tmp_path / "saved"
    shown = said("save", "latest", saved)

    assert str(saved) in shown
    assert contents(saved) == contents(project.folder / "artifacts" / "latest")
    assert not any(path.is_symlink() for path in saved.rglob("*"))
    assert "already exists" in said("save", "latest", saved, fails=True)
    assert "cp -r" in project.run("cli.py", "save", "--help")


PIPE = "; exit ${PIPESTATUS[0]}"


NOBODY = [
    (f"| true{PIPE}", 141), (f"2>&1 | true{PIPE}", 141), (f"2>&- | true{PIPE}", 141),
    ("> /dev/full", 1), (">&-", 0), (">&- 2>&-", 0),
]  # fmt: skip
PRINTING = [
    "cli.py runs", "cli.py runs --json", "cli.py explain train", "cli.py verify",
    "cli.py compare latest latest --json", "cli.py gc --keep-last 9 --dry-run",
    "cli.py plan --data data", "cli.py save --help", "full.py --help",
]  # fmt: skip


def _when(command, output):
    """Return how often a command is tried that writes to such an output."""
    if command == PRINTING[0] and output in (NOBODY[0][0], NOBODY[3][0]):
        return []
    often = command == PRINTING[0] or output == NOBODY[0][0]
    return [pytest.mark.long if often else pytest.mark.slow]


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        # Each command once, and one command in every way; all of them together take minutes
        pytest.param(command, output, code, marks=_when(command, output))
        for command in PRINTING
        for output, code in NOBODY
    ],
)  # fmt: skip
def test_output_that_nobody_takes_is_no_traceback(project, command, output, code):
    """A closed pipe, a full disk, a closed file; also with Python's development mode, which tells
    of everything that is left undone."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -X dev {project.folder}/flows/{command} {output}"],
        cwd=project.folder, env=project.environment, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert ("cannot be written" in done.stderr) == ("full" in output)


def test_an_error_that_nobody_reads_keeps_its_code(project):
    """A script sees it even where standard error is a closed pipe."""
    script = f"{sys.executable} {project.folder}/flows/cli.py runs --bad 2>&1 | true{PIPE}"
    done = subprocess.run(["bash", "-c", script], env=project.environment, capture_output=True)

    assert done.returncode == 2


@pytest.mark.slow
def test_a_terminal_without_our_characters_shows_others(project, tmp_path):
    """A run and all commands in the C locale; what they print has other characters too."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    foreign = Project(project.folder, {**project.environment, **plain})
    where = ("--artifacts", tmp_path / "artifacts")
    foreign.full(*OPTIONS, *where)
    for command in (
        ["runs"], ["runs", "--json"], ["explain", "train"], ["compare", "latest", "latest"],
        ["verify"], ["gc", "--keep-last", 1, "--dry-run"], ["save", "latest", tmp_path / "Töne"],
    ):  # fmt: skip
        assert foreign.run("cli.py", *command, *where)

    assert {row["state"] for row in project.planned(*OPTIONS, *where).values()} == {"cached"}
    assert (tmp_path / "Töne" / "metrics.json").is_file()


def test_a_name_that_the_locale_cannot_spell_ends_in_one_line(project, tmp_path):
    """Prefect's server is sent the path, and JSON has no way to write it."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    foreign = Project(project.folder, {**project.environment, **plain})
    error = foreign.run("full.py", "--artifacts", tmp_path / "Künste", code=1)

    assert "error: a path has a name that this locale cannot encode. Set PYTHONUTF8=1." in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_ends_in_one_line(project, tmp_path):
    """`ulimit -f`, in blocks of 1,024 bytes."""
    command = (
        f"ulimit -f 60; exec {sys.executable} {project.folder}/flows/full.py --artifacts "
        f"{tmp_path}/artifacts --data {project.folder}/data {' '.join(map(str, OPTIONS))}"
    )
    done = subprocess.run(
        ["bash", "-c", command], env=project.environment, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "exceeds the size limit of this user. Raise that limit (`ulimit -f`)" in line
