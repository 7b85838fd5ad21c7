"""The page of a run, as its stage makes it and as a browser shows it."""

import json

import numpy as np
import pandas as pd
import pytest

from autoencoders.images.gallery import gallery_rows
from autoencoders.metrics.ranks import RANKS
from autoencoders.randomness import generator
from autoencoders.report.lineage import lineage_drawing
from autoencoders.settings import QUICK, resolved
from flows.catalogue import METHODS, METRICS
from flows.report_facts import command
from tasks.engine.files import reference
from tasks.engine.handles import Output
from tasks.formats.data_uri import png_uri
from tasks.formats.tables import write_table
from tasks.report import report
from tests.browser import WINDOWS

HOSTILE = "<script>alert(1)</script>"
COUNT, LEVELS = 12, [0.25, 0.5, 1.0]
RNG = generator(0, "test of the report")


def facts(name="data", *, own=False):
    """What a run knows of itself, with `name` wherever a user may have chosen one."""
    rows = [{"what": name, "found": name, "why": ""}]
    return {
        "kind": name, "what": name, "doubts": [name], "remarks": [],
        "methods": [{"name": one.name, "reads": one.reads, "description": one.description,
                     "trained": one.trained} for one in METHODS],
        "metrics": [{"name": one.name, "title": one.title, "digits": one.digits,
                     "interval": one.interval} for one in METRICS],
        "convention": "", "factor": 0.5, "levels": ["own"] if own else list(map(str, LEVELS)),
        "shown": 0 if own else 1, "recognised": rows, "changed": rows, "settings": rows,
        "epochs": ["autoencoder: kept epoch 2", "denoiser: kept epoch 2"],
        "command": name, "command_note": "", "work": "", "environment": rows, "digests": rows,
        "reads": {"ingest": [name], "evaluate": ["ingest"]}, "files": [name],
    }  # fmt: skip


def made(folder, *, labelled=True, own=False, channels=3, name="data", nan=False):
    """Run the stage on made-up results; return the page."""
    folder.mkdir()
    psnr = {one.name: RNG.uniform(8, 20, COUNT) for one in METHODS}
    if nan:
        psnr["denoiser"][:] = np.nan
    table = pd.DataFrame({f"{one}_psnr": values for one, values in psnr.items()})
    write_table(table, folder / "per_image.parquet")
    gain = {"images": COUNT, "psnr": None if nan else 1.5, "psnr_interval": None}
    metrics = {"images": COUNT, **{
        one.name: {
            **{two.name: None if nan and one.name == "denoiser" else 0.5 for two in METRICS},
            "against": {two.name: gain for two in METHODS if two != one},
        }
        for one in METHODS
    }}  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(metrics))
    per_class = [f"{i},3," + ",".join(["12.5"] * len(METHODS)) for i in (name.replace(",", ""), 7)]
    columns = ",".join(f"{one.name}_psnr" for one in METHODS)
    (folder / "per_class.csv").write_text("\n".join([f"label,images,{columns}", *per_class]))
    (folder / "history.csv").write_text("epoch,loss,val_loss\n1,0.1,0.2\n2,0.05,0.1\n")
    clean = RNG.random((COUNT, 10, 9, channels), np.float32)
    np.save(folder / "clean.npy", clean)
    levels = 1 if own else len(LEVELS)
    shown = len(gallery_rows(clean.shape, levels))
    images = RNG.integers(0, 256, (levels, shown, 10, 9, 1)).astype(np.uint8)
    np.save(folder / "gallery.npy", images.repeat(3, -1))
    np.save(folder / "extremes.npy", clean[:6])
    ranks = "".join(f"denoiser,{one},{n},12.5\n" for n, one in enumerate(RANKS))
    (folder / "extremes.csv").write_text(f"method,rank,image,psnr\n{ranks}")
    np.save(folder / "labels.npy", np.arange(COUNT if labelled else 0) % 2)
    (folder / "classes.json").write_text(json.dumps([name, "b"] if labelled else None))
    ref = {path.name: reference(path) for path in folder.iterdir()}
    tables = {"per_image": ref["per_image.parquet"], "extremes": ref["extremes.csv"]}
    report(
        Output(folder / "out"), ref["metrics.json"],
        {**tables, "per_class": ref["per_class.csv"]} if labelled else tables,
        {"autoencoder": ref["history.csv"], "denoiser": ref["history.csv"]},
        {one.name: ref["gallery.npy"] for one in METHODS if one.reads == "noisy"},
        ref["extremes.npy"], {"clean": ref["clean.npy"], "noisy": ref["clean.npy"]},
        {"numbers": ref["labels.npy"], "classes": ref["classes.json"]}, facts(name, own=own),
    )  # fmt: skip
    return folder / "out" / "report.html"


@pytest.mark.parametrize(
    "kind", [{}, {"labelled": False}, {"own": True}, {"channels": 1}, {"nan": True}],
    ids=lambda kind: next(iter(kind), "all"),
)  # fmt: skip
def test_every_kind_of_data_has_a_page(tmp_path, kind):
    """Without labels, with noise of the user's own, in colour and grey, of a useless network."""
    html = made(tmp_path / "run", **kind).read_text()

    assert ("By class" in html) == kind.get("labelled", True)
    assert ('type="range"' in html) != kind.get("own", False)
    assert html.count("data-level=") == (1 if kind.get("own") else len(LEVELS))


def test_whatever_things_are_called_is_text(tmp_path):
    """Labels, files and settings that look like HTML are shown as they are spelt."""
    html = made(tmp_path / "run", name=HOSTILE).read_text()

    assert html.count("<script") == 1
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10


def test_grey_images_are_stored_as_grey():
    """A third of the bytes."""
    noise = RNG.integers(0, 256, (40, 40, 1)).astype(np.uint8)

    assert len(png_uri(noise.repeat(3, 2))) < 0.5 * len(
        png_uri(RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8))
    )


def test_the_command_of_a_page_computes_the_same(tmp_path):
    """It names the nearest preset and what differs from it, quoted for a shell."""
    changed = QUICK.model_copy(update={"seed": 7})
    settings = resolved(changed, "float32", 2).model_dump(mode="json")
    settings["reading"]["accept"] = ["alike", "outside"]

    assert command("my data", settings) == (
        "python flows/full.py --data 'my data' --preset quick --seed 7 --reading.accept alike "
        "--reading.accept outside --training.precision float32 --training.threads 2"
    )


def test_a_step_that_reads_nothing_is_drawn():
    """As of a pipeline that makes its own data."""
    assert lineage_drawing({"make": []}, []).count("<rect") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_a_browser_shows_the_page_without_complaint(tmp_path, browser, width, dark):
    """On a desktop and on a phone: no message, no request, nothing wider than the window."""
    page = made(tmp_path / "run", name=HOSTILE)

    assert browser.faults(page, width=width, dark=dark) == []


@pytest.mark.slow
def test_the_slider_moves_through_the_levels(tmp_path, browser):
    """By keyboard as by mouse; the level is said, and only its images are seen."""
    browser.show(made(tmp_path / "run"), width=1100)
    visible = "[...document.querySelectorAll('[data-level]')].filter(one => !one.hidden)"
    seen = f"{visible}.map(one => one.dataset.level).join()"
    before = browser.run(seen)
    browser.run("document.querySelector('input[type=range]').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight",
                     windowsVirtualKeyCode=39)  # fmt: skip

    assert (before, browser.run(seen)) == ("0.5", "1.0")
    assert browser.run("document.querySelector('output').value") == "1.0"


@pytest.mark.slow
def test_a_table_is_sorted_by_its_heads(tmp_path, browser):
    """First from the highest down, then up."""
    browser.show(made(tmp_path / "run"), width=1100)
    head = "document.querySelector('table.sortable th button')"
    first = "document.querySelector('table.sortable tbody th').textContent"
    browser.run(f"{head}.click()")
    down = browser.run(first)
    browser.run(f"{head}.click()")
    names = sorted(one.name for one in METHODS)

    assert (down, browser.run(first)) == (names[-1], names[0])


@pytest.mark.slow
def test_the_page_reads_without_scripts(tmp_path, browser):
    """The run's own level of noise is seen, and no slider that would not move."""
    browser.show(made(tmp_path / "run"), width=1100, script=False)
    browser.send("Emulation.setScriptExecutionDisabled", value=False)

    assert browser.run("document.querySelector('.controls').hidden") is True
    assert browser.run("document.querySelector('[data-level=\"0.5\"]').hidden") is False
