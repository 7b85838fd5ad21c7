"""Retraining as a call from Python, on small data: how it ends, and what it leaves."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from autoencoders.errors import PipelineError
from autoencoders.retraining import RetrainingSettings, least_gain
from autoencoders.settings import PRESETS
from flows import cli
from flows.advice import in_words
from flows.champion import CHAMPION, NETWORK, champion_of, roll_back
from flows.networks import choose_run
from flows.ops.notifications import notify_decision
from flows.retrain import retrain
from tasks.engine.aliases import Alias
from tasks.engine.errors import (
    AliasDamagedError,
    MovedError,
    NotPublishedError,
    StoreError,
    TargetDamagedError,
)
from tasks.engine.files import sha256_of
from tasks.engine.gc import collect_garbage
from tasks.engine.journal import run_folder
from tasks.engine.store import Store
from tests.support import IMAGE, IN_PROCESS, Webhook, write_dataset

RULES = {"images": 20}


def settings(**more: object) -> RetrainingSettings:
    # Noise that hides everything, so that any network is better than none
    given = {"image": IMAGE, "training": {"epochs": 1}, "noise": {"factor": 1.0}, "retrain": RULES}
    values = {**given, **more}
    return RetrainingSettings.model_validate(values)


def csv(path, count, seed, most=256):
    """Write random images of 12 x 12 pixels, the label last."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.integers(0, most, (count, 144)), rng.integers(0, 10, count)])
    path.parent.mkdir(exist_ok=True)
    names = [*(f"pixel{number}" for number in range(144)), "label"]
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=",".join(names), comments="")


@pytest.fixture(scope="module")
def first(tmp_path_factory, prefect_server):
    """The data, and a store with a first champion."""
    folder = tmp_path_factory.mktemp("first")
    data = write_dataset(folder / "data", side=12)
    night = retrain(data, "quick", settings(), folder / "artifacts")
    return data, folder / "artifacts", night


@pytest.fixture
def again(first, tmp_path):
    """The data, and a copy of that store."""
    data, artifacts, _ = first
    shutil.copytree(artifacts, tmp_path / "artifacts", symlinks=True)
    return data, tmp_path / "artifacts"


def test_the_first_challenger_becomes_champion(first):
    """Its run has the network and the evidence; `latest`, of the main job, is left alone."""
    _, artifacts, night = first
    champion = champion_of(Store(artifacts))

    assert night.event == "promoted"
    assert champion.run == night.run
    assert json.loads((night.folder / "decision.json").read_text())["event"] == "promoted"
    assert "# Retraining: promoted" in (night.folder / "summary.md").read_text()
    assert not (artifacts / "latest").exists()


def test_the_champion_is_what_denoise_uses(first):
    """By its name, with the sha256 that was promoted; a network that was changed is refused."""
    _, artifacts, night = first
    chosen = choose_run(CHAMPION, artifacts)

    assert chosen.name == night.run
    assert sha256_of(chosen.network("denoiser")) == champion_of(Store(artifacts)).sha256


def test_the_same_again_is_nothing_new(again, monkeypatch):
    """Without a run; another place of the same files, or another machine, is the same."""
    data, artifacts = again
    night = retrain(data, "quick", settings(), artifacts)
    assert night.event == "nothing new"
    assert "Nothing new" in night.summary()
    assert len(list((artifacts / "runs").iterdir())) == 1

    moved = artifacts.parent / "moved"
    shutil.copytree(data, moved)
    assert retrain(moved, "quick", settings(), artifacts).event == "nothing new"

    monkeypatch.setattr("tasks.resolve.resolve_threads", lambda: 3)
    monkeypatch.setattr("tasks.resolve.resolve_precision", lambda: "bfloat16")
    assert retrain(data, "quick", settings(), artifacts).event == "nothing new"


def test_after_a_damaged_decision_a_rollback_makes_the_nights_go_on(again, capsys):
    """Who is champion is unknown until somebody says it; then the damaged one is the past."""
    data, artifacts = again
    alias = Alias(Store(artifacts), CHAMPION)
    run = alias.current().target.run
    alias.decide("refused", {"reasons": ["."], "checks": [], "drift": []}, over=1)
    path = alias.folder / "00000002.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(AliasDamagedError, match="rollback --to RUN"):
        retrain(data, "quick", settings(), artifacts)
    roll_back(alias.store, run)

    assert retrain(data, "quick", settings(), artifacts).event == "nothing new"
    cli.app(["champion", "--artifacts", str(artifacts), "--json"], **IN_PROCESS)
    assert json.loads(capsys.readouterr().out)["run"] == run
    with pytest.raises(Exception, match="no earlier champion"):
        roll_back(alias.store, None)


def test_without_its_only_decision_a_store_begins_anew(again):
    """As the message says, whatever was asked for."""
    data, artifacts = again
    alias = Alias(Store(artifacts), CHAMPION)
    run = alias.current().target.run
    path = alias.folder / "00000001.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(AliasDamagedError, match="if no other decision is there, remove it"):
        retrain(data, "quick", settings(), artifacts)
    with pytest.raises(PipelineError, match=f"removed from {alias.folder}"):
        roll_back(alias.store, run)
    path.unlink()

    assert retrain(data, "quick", settings(), artifacts).event == "promoted"
    assert alias.current().number == 1


def test_what_was_decided_about_before_is_nothing_new(again):
    """Whatever came in between: a network that was rolled back does not come back by itself."""
    data, artifacts = again
    alias = Alias(Store(artifacts), CHAMPION)
    few = settings(retrain={"images": 1000})
    assert retrain(data, "quick", few, artifacts).event == "refused"

    for again_of, how in ((settings(), "promoted"), (few, "refused")):
        night = retrain(data, "quick", again_of, artifacts)
        assert night.event == "nothing new"
        assert f"the same data and settings ({how})" in night.summary()
    assert len(list(alias.decisions())) == 2


@pytest.mark.long
def test_a_challenger_like_the_champion_is_refused(again, monkeypatch):
    """The decision is written down with its numbers, and posted."""
    data, artifacts = again
    webhook = Webhook()
    monkeypatch.setenv("AUTOENCODERS_WEBHOOK", webhook.url)
    before = champion_of(Store(artifacts))
    night = retrain(data, "quick", settings(seed=1), artifacts)
    [decision, _] = Alias(Store(artifacts), CHAMPION).decisions()

    assert night.event == decision.event == "refused"
    assert champion_of(Store(artifacts)) == before
    assert decision.target is None
    assert decision.facts["champion"] == {"run": before.run, "sha256": before.sha256}
    assert next(one["what"] for one in decision.facts["checks"]) == "PSNR"
    assert {one["measure"] for one in decision.facts["drift"]} == {
        "ink", "noise", "error", "classes",
    }  # fmt: skip
    [post] = webhook.received
    assert post["state"] == "refused"
    assert post["text"].startswith(f"Retraining {night.run}: Refused: ")


def test_a_rollback_notices_a_promotion_at_the_same_time(again, monkeypatch):
    """It would go back from a champion that nobody has looked at."""
    _, artifacts = again
    alias, real = Alias(Store(artifacts), CHAMPION), Alias.former
    present = alias.current()

    def meanwhile(self):
        before = real(self) or present.target
        alias.decide("promoted", {"reasons": []}, over=present.number, target=present.target)
        return before

    monkeypatch.setattr(Alias, "former", meanwhile)
    with pytest.raises(MovedError, match="was moved meanwhile"):
        roll_back(alias.store, None)


def damage_champion(artifacts, place):
    """Change the last byte of a file of the champion's run; return the name of the run."""
    run = champion_of(Store(artifacts)).run
    path = (run_folder(Store(artifacts), run) / place).resolve()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    return run


@pytest.mark.parametrize("place", [NETWORK, "evidence/seen.npy", "manifest.json"])
def test_a_damaged_champion_is_told_with_a_way_out(again, tmp_path, place):
    """To run again, as helps with all else that is damaged, would end in the same way for ever."""
    data, artifacts = again
    damage_champion(artifacts, place)
    csv(tmp_path / "inbox" / "monday.csv", 40, 1)

    with pytest.raises(TargetDamagedError, match="go back to another champion") as caught:
        retrain(data, "quick", settings(), artifacts, tmp_path / "inbox")
    assert in_words(caught.value).count("go back to another champion") == 1


@pytest.mark.parametrize("place", [NETWORK, "evidence/test.npy"])
def test_verify_goes_on_telling_what_the_champion_lacks(again, capsys, place):
    """It takes the damaged bytes out of the store, and no run computes them again."""
    _, artifacts = again
    name = damage_champion(artifacts, place)

    for _ in range(2):
        with pytest.raises((AliasDamagedError, TargetDamagedError), match=f"{name}/{place}"):
            cli.app(["verify", "--json", "--artifacts", str(artifacts)], **IN_PROCESS)
        told = json.loads(capsys.readouterr().out)
        assert any(f"{name}/{place}: missing" in one["problem"] for one in told)


def test_an_inbox_among_the_pictures_is_refused(tmp_path, prefect_server):
    """Its images would count twice, and be a class; so are results among the pictures."""
    pictures = tmp_path / "pictures"
    for label in "ab":
        for number in range(2):
            path = pictures / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((12, 12), number * 9, np.uint8)).save(path)
    (pictures / "inbox").mkdir()

    with pytest.raises(PipelineError, match="the inbox lies in") as caught:
        retrain(pictures, "quick", settings(), tmp_path / "artifacts", pictures / "inbox")
    assert str(caught.value).endswith("give the new place with `inbox`.")
    with pytest.raises(StoreError, match=r"the results would be among the data.* outside of it"):
        retrain(pictures, "quick", settings(), pictures / "artifacts")
    assert not (pictures / "artifacts").exists()


def test_an_entry_with_another_range_of_values_is_warned_about(again, tmp_path):
    """A dark night may be read as levels from 0 to 16, sixteen times too bright."""
    data, artifacts = again
    csv(tmp_path / "inbox" / "dark.csv", 300, 5, most=17)
    night = retrain(data, "quick", settings(), artifacts, tmp_path / "inbox")

    [told] = [text for text in night.warnings() if text.startswith("In dark.csv of the inbox")]
    assert "0 is black and 16 is white, but in the data 0 is black and 255 is white" in told


def test_too_few_images_that_neither_has_seen_are_a_refusal(again):
    """Before anything is trained."""
    data, artifacts = again
    night = retrain(data, "quick", settings(retrain={"images": 21}), artifacts)

    assert night.event == "refused"
    assert "20 are new to both champion and challenger" in night.reasons[0]
    assert not (night.folder / "models").exists()


def test_files_of_an_inbox_join_the_data(again, tmp_path):
    """One is split; what was there before stays on its side, so the champion's are left out."""
    data, artifacts = again
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    assert retrain(data, "quick", settings(), artifacts, inbox).event == "nothing new"
    csv(inbox / "monday.csv", 40, 1)
    csv(inbox / "tuesday.csv", 40, 2)
    none = settings(retrain={"images": 1000})  # of which nothing is trained
    night = retrain(data, "quick", none, artifacts, inbox)
    counts = night.facts["images"]

    assert night.event == "refused"
    assert 20 < counts["images"] < 60
    assert counts["left"] == counts["images"]
    assert (night.folder / "inbox" / "monday.csv" / "inspection.json").exists()
    (inbox / "monday.csv").rename(inbox / "sunday.csv")
    assert retrain(data, "quick", none, artifacts, inbox).event == "nothing new"


@pytest.mark.parametrize("url", ["nonsense", f"http://{64 * 'a'}.example", "http://127.0.0.1:1"])
def test_a_webhook_that_is_no_address_costs_a_line_in_the_log(monkeypatch, caplog, url):
    """The decision is made by then."""
    monkeypatch.setenv("AUTOENCODERS_WEBHOOK", url)
    notify_decision({"text": "Retraining: refused"})

    assert "the webhook was not reached" in caplog.text
    assert url not in caplog.text


@pytest.mark.slow
def test_the_files_of_the_champion_are_no_garbage(again):
    """However many runs come after it; a rollback needs an earlier champion."""
    data, artifacts = again
    store = Store(artifacts)
    before = champion_of(store)
    for seed in (1, 2):
        retrain(data, "quick", settings(seed=seed, retrain={"images": 21}), artifacts)
    collect_garbage(store, 1, dry_run=False)

    assert champion_of(store) == before
    assert run_folder(store, before.run).exists()
    assert len(list((artifacts / "runs").iterdir())) == 2
    with pytest.raises(Exception, match="no earlier champion"):
        roll_back(store, None)


def test_runs_lists_retrainings_with_how_they_ended(first, capsys):
    """They have no metrics of the main job, and say so where one asks for them."""
    _, artifacts, night = first
    cli.app(["runs", "--artifacts", str(artifacts), "--json"], **IN_PROCESS)
    (row,) = json.loads(capsys.readouterr().out)

    assert (row["run"], row["job"], row["state"]) == (night.run, "retrain", "finished")
    assert row["message"] == "promoted"
    with pytest.raises(NotPublishedError, match=r"a run of retrain: has no report\.html"):
        cli.app(["report", night.run, "--artifacts", str(artifacts)], **IN_PROCESS)
    page = artifacts.parent / "compared.html"
    options = ["--artifacts", str(artifacts), "--html", str(page)]
    cli.app(["compare", night.run, night.run, *options], **IN_PROCESS)
    said = capsys.readouterr()
    assert "has no metrics.json" in said.err
    assert "Traceback" not in said.err
    assert night.run in page.read_text()


def test_the_margin_is_never_below_what_seeds_differ_by():
    """Whatever is set; every preset has its figure."""
    for preset in PRESETS:
        least = least_gain(preset, RetrainingSettings(retrain={"margin": 0}).retrain)
        assert least > 0.1
        large = RetrainingSettings(retrain={"margin": 20}).retrain
        assert least_gain(preset, large) == 20
