"""The stages of retraining as plain functions: references in, files out."""

import errno
import json
import os

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from tasks.choose_unseen import choose_unseen
from tasks.draw_nights import draw_nights
from tasks.engine.files import reference
from tasks.engine.handles import Output
from tasks.find_inbox import find_inbox
from tasks.formats.image_table import ImageTableWriter, read_image_table
from tasks.mark_seen import mark_seen
from tasks.measure_drift import measure_drift
from tasks.merge import merge
from tasks.profile import profile

COUNT = 12


def images(seed=0, count=COUNT):
    """Images as `prepare` makes them: bytes over 255, float32 (n, 4, 4, 1)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1))
    return (pixels / 255).astype(np.float32)


def seen_by(tmp_path, saved, array, earlier=None):
    folder = tmp_path / f"seen{len(array)}"
    mark_seen(Output(folder), saved(f"learned{len(array)}", array), earlier or {})
    return reference(folder / "seen.npy")


def test_images_that_a_network_has_seen_are_left_out(tmp_path, saved, output):
    """And copies of another image, with their twins and labels; what is left keeps its order."""
    test = images()
    test[5] = test[4]
    seen = {"a": seen_by(tmp_path, saved, test[:2]), "b": seen_by(tmp_path, saved, test[7:8])}
    twins = test + 1
    choose_unseen(
        output, {"clean": saved("clean", test), "noisy": saved("noisy", twins)},
        saved("labels", np.arange(COUNT)), seen,
    )  # fmt: skip
    left = [2, 3, 4, 6, 8, 9, 10, 11]

    assert np.array_equal(np.load(output.folder / "clean.npy"), test[left])
    assert np.array_equal(np.load(output.folder / "noisy.npy"), twins[left])
    assert np.load(output.folder / "labels.npy").tolist() == left
    assert json.loads((output.folder / "counts.json").read_text()) == {
        "images": 12, "copies": 1, "seen": 3, "left": 8,
    }  # fmt: skip


def test_all_images_may_have_been_seen(tmp_path, saved, output):
    """Then none is left; there may be no labels either."""
    test = images()
    seen = {"a": seen_by(tmp_path, saved, test)}
    labels = saved("labels", np.empty(0, np.int64))
    choose_unseen(output, {"clean": saved("clean", test)}, labels, seen)

    assert np.load(output.folder / "clean.npy").shape == (0, 4, 4, 1)
    assert np.load(output.folder / "labels.npy").shape == (0,)


def test_a_network_that_goes_on_has_seen_what_the_earlier_one_has(tmp_path, saved, output):
    """So the images of both are left out later."""
    earlier = {"champion": seen_by(tmp_path, saved, images()[:2])}
    seen = seen_by(tmp_path, saved, images()[2:5], earlier)
    labels = saved("labels", np.arange(COUNT))
    choose_unseen(output, {"clean": saved("clean", images())}, labels, {"a": seen})

    assert np.load(output.folder / "labels.npy").tolist() == list(range(5, COUNT))


def test_a_profile_has_ink_noise_and_classes(tmp_path, saved, output):
    """Of each image the mean of its pixels, and the spread of what was added to them."""
    import pandas as pd

    clean = np.full((2, 4, 4, 1), 0.25, np.float32)
    noisy = clean.copy()
    noisy[1, :2] += 0.5
    (tmp_path / "classes.json").write_text('["ant", "bee"]')
    profile(
        output, saved("clean", clean), saved("noisy", noisy), saved("labels", np.array([1, 1])),
        reference(tmp_path / "classes.json"),
    )  # fmt: skip
    table = pd.read_parquet(output.folder / "profile.parquet")

    assert table["ink"].tolist() == [0.25, 0.25]
    assert table["noise"].tolist() == [0, 0.25]
    assert json.loads((output.folder / "class_counts.json").read_text()) == {"bee": 2}


@pytest.mark.parametrize(("before", "now", "drifted"), [
    ({"a": 30, "b": 30}, {"a": 30, "b": 30}, [False]),
    ({"a": 30, "b": 30}, {}, [True]),
    ({}, {"a": 30, "b": 30}, []),
])  # fmt: skip
def test_lost_labels_are_drift(tmp_path, output, before, now, drifted):
    """Without them no class can be seen to be worse; new ones take nothing away."""
    import pandas as pd

    values = np.random.default_rng(0).random(60)
    pd.DataFrame({"ink": values, "noise": values}).to_parquet(tmp_path / "profile.parquet")
    pd.DataFrame({"mse": values}).to_parquet(tmp_path / "errors.parquet")
    data = {name: reference(tmp_path / f"{name}.parquet") for name in ("profile", "errors")}
    for name, counts in (("before", before), ("now", now)):
        (tmp_path / f"{name}.json").write_text(json.dumps(counts))
    measure_drift(
        output, {**data, "classes": reference(tmp_path / "before.json")},
        {**data, "classes": reference(tmp_path / "now.json")}, ks=0.1, psi=0.2,
    )  # fmt: skip
    found = json.loads((output.folder / "drift.json").read_text())

    assert [one["drifted"] for one in found if one["measure"] == "classes"] == drifted
    assert not any(one["drifted"] for one in found if one["measure"] != "classes")


def table(folder, name, labels, classes=None, side=4):
    """Write a table of images, every pixel of which is the label, or 9 without."""
    path = folder / f"{name}.parquet"
    with ImageTableWriter(path, side * side, labelled=labels is not None) as writer:
        values = np.full(3, 9) if labels is None else np.array(labels)
        pixels = np.repeat(values[:, None], side * side, axis=1).astype(np.uint8)
        writer.write(pixels, None if labels is None else values.astype(np.uint32))
        writer.finish((side, side, 1), classes)
    return reference(path)


def test_merged_tables_call_a_class_by_one_number(tmp_path, output):
    """Although each has numbered the names that it knows by itself."""
    tables = {
        "one": table(tmp_path, "one", [0, 1, 1], ["ant", "cat"]),
        "two": table(tmp_path, "two", [0, 1, 0], ["bee", "cat"]),
    }
    merge(output, tables)
    found = read_image_table(output.folder / "images.parquet")
    [(pixels, labels)] = found.batches(100)

    assert [found.classes[one] for one in labels] == ["ant", "cat", "cat", "bee", "cat", "bee"]
    assert pixels[:, 0].tolist() == [0, 1, 1, 0, 1, 0]


@pytest.mark.parametrize(("labels", "classes", "side", "problem"), [
    ([0, 1, 1], None, 8, "the images of two are 8 x 8 x 1, but those of one are 4 x 4 x 1"),
    (None, None, 4, "the images of one have labels, those of two have none"),
    ([0, 1, 1], ["ant", "bee"], 4, "words in one and numbers in the other"),
])  # fmt: skip
def test_tables_that_do_not_belong_together_are_refused(
    tmp_path, output, labels, classes, side, problem
):
    """With both names."""
    tables = {
        "one": table(tmp_path, "one", [0, 1, 2]),
        "two": table(tmp_path, "two", labels, classes, side),
    }
    with pytest.raises(PipelineError, match=f"(?i){problem}"):
        merge(output, tables)


def test_an_inbox_is_what_is_in_it(tmp_path):
    """Files and folders by name; what is hidden or still being written is left out."""
    for name in ("b.csv", "a.csv", ".c.csv", "d.csv.part", "e.tmp"):
        (tmp_path / name).write_text("1,2\n")
    (tmp_path / "set").mkdir()
    for name in ("data.csv", "labels.csv"):
        (tmp_path / "set" / name).write_text("1,2\n")
    found = find_inbox(tmp_path)

    assert list(found) == ["a.csv", "b.csv", "set"]
    assert set(found["set"]) == {"data", "labels"}
    with pytest.raises(PipelineError, match="no such folder"):
        find_inbox(tmp_path / "missing")


def test_an_inbox_on_a_disk_that_does_not_answer_is_refused_in_words(tmp_path, monkeypatch):
    """With the folder and what the system says."""

    def stale(folder):
        raise OSError(errno.ESTALE, "Stale file handle", str(folder))

    monkeypatch.setattr(type(tmp_path), "iterdir", stale)
    with pytest.raises(PipelineError, match=rf"{tmp_path}: cannot be read \(Stale file handle\)"):
        find_inbox(tmp_path)


@pytest.mark.parametrize("name", [b"empty", b"mon\xffday"])
def test_an_entry_that_cannot_be_read_is_named_with_what_helps(tmp_path, name):
    """It is no matter of --data; a name that is no text could not be written down."""
    entry = tmp_path / os.fsdecode(name)
    entry.mkdir()

    with pytest.raises(PipelineError, match=r"take it out of the inbox") as refusal:
        find_inbox(tmp_path)
    assert "--data" not in str(refusal.value)
    str(refusal.value).encode()


def test_the_figure_of_all_nights_needs_no_number(output):
    """The first decision has no drift, a stop no gain, and what was done by hand neither."""
    none = dict.fromkeys(("gain", "low", "high", "margin", "psi", "ks"))
    first = {**none, "gain": 2.0, "low": 1.9, "high": 2.1, "margin": 0.0}
    rows = [{**first, "event": "promoted"}, {**none, "event": "rolled back"},
            {**none, "event": "stopped", "psi": 0.5, "ks": 0.3}]  # fmt: skip
    draw_nights(output, [{**row, "date": "2026-01-01 03:00"} for row in rows])

    assert (output.folder / "nights.png").read_bytes().startswith(b"\x89PNG")
    draw_nights(output, [{**none, "event": "refused", "date": "2026-01-01 03:00"}])
