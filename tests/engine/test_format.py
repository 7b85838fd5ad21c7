"""The form of what the engine writes into an artifact, and the number that stands for it."""

import hashlib
import json
import re

import pytest
from pydantic import BaseModel

from tasks.engine.errors import DamagedError
from tasks.engine.files import reference
from tasks.engine.gc import collect_garbage
from tasks.engine.handles import FunctionRef
from tasks.engine.journal import Journal
from tasks.engine.manifest import FORMAT, Manifest
from tasks.engine.published import publish_run
from tasks.engine.sources import track
from tasks.engine.stage import stage_of
from tasks.engine.store import MANIFEST, Store
from tasks.engine.verify import verify_store
from tests.engine.golden import Shape, golden

GOLDEN = {
    1: "48114653304444b96a89c13b7b81791caa7a9a2ae3c232b43db9d7275275dc01",
    2: "cbc1003f16c1334f0b71205aa2e3eae6f41023d4b78798d51ccfcfa1bf81d0bf",
}
"""By format number, the sha256 of an artifact in this form."""

OLD_KEY = "e0074a3e220b3a52a11c45af48675ee1"
OLD_MANIFEST = """{
 "parts": {
  "stage": "double",
  "settings": {
   "zeal": 1,
   "amount": {
    "b": 2,
    "a": 1
   }
  },
  "inputs": {
   "number": "7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"
  },
  "code": {
   "tasks.double:double": "0123456789abcdef",
   "autoencoders.shape:SIDE": "SIDE = 28"
  },
  "libraries": {
   "python": "3.11",
   "numpy": "2.1.0"
  }
 },
 "files": {
  "number.txt": {
   "sha256": "8527a891e224136950ff32ca212b45bc93f69fbb801c3b1ebedac52775f99e61",
   "size": 2
  }
 },
 "created": "2026-01-01T00:00:00+00:00",
 "seconds": 0.25,
 "digest": "41b6d2238338c66413e5e4359e23047cd58ee5e0da3f126da180c846400b0079"
}"""
"""Written, byte for byte, by the last version without a format number (commit a544907)."""


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(tmp_path / "artifacts")


@pytest.fixture
def inputs(tmp_path):
    """Fixed inputs of every kind."""
    refs = {}
    for name in ("first", "second", "third"):
        path = tmp_path / f"{name}.txt"
        path.write_text(name)
        refs[name] = reference(path)
    return {
        "text": refs["first"],
        "more": {"b": refs["second"], "a": refs["third"]},
        "shape": Shape(height=5),
        "change": FunctionRef("tests.engine.golden:shouted"),
        "options": {"b": [1, 2.5, None, True], "a": {"inner": "text"}},
    }


def computed(store, inputs):
    track("tests", "tasks")  # whatever other tests have tracked before
    return stage_of(golden).compute(store, inputs)


def normalised(text):
    """Return a manifest in which all that may differ between two artifacts of one form is alike.

    The texts of values are replaced, so that names, order, nesting and white space remain.
    """
    found = json.loads(text)
    # Of the code, only this stage's own: the definitions of `handles` are no form
    text = re.sub(r'\s*"(?!tests\.engine\.golden:)[\w.]+:[^":]+": "[^"]*",', "", text)
    for digest in (found["digest"], *found["parts"]["code"].values()):
        if re.fullmatch("[0-9a-f]+", digest):
            text = text.replace(digest, len(digest) * "0")
    for library, version in found["parts"]["libraries"].items():
        text = re.sub(rf'("{library}":\s*)"{re.escape(version)}"', r'\1"version"', text)
    text = re.sub(r'("created":\s*)"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"', r'\1"time"', text)
    return re.sub(r'("(?:cpu_)?seconds":\s*)\d+\.\d+', r"\1 0.0", text)


def form_of(store, inputs):
    """Return the sha256 of an artifact's files and its normalised manifest."""
    artifact = computed(store, inputs)
    digest = hashlib.sha256()
    for path in sorted(store.folder("golden", artifact.key).iterdir()):
        text = path.read_text()
        content = normalised(text) if path.name == MANIFEST else text
        digest.update(f"{path.name}\n{content}\n".encode())
    return digest.hexdigest()


def test_an_artifact_has_the_form_that_its_format_number_stands_for(store, inputs):
    """A changed form under the old number would be taken for the old one by every store."""
    found = form_of(store, inputs)

    assert found == GOLDEN.get(FORMAT), (
        "What the engine writes into an artifact has changed its form. If that is meant, raise "
        f"FORMAT in tasks/engine/manifest.py and record the new digest here: {found}"
    )


def test_a_second_artifact_has_the_same_form(tmp_path, inputs):
    """Times, versions and digests of code are no form."""
    forms = {form_of(Store(tmp_path / name), inputs) for name in "ab"}

    assert len(forms) == 1


class WithHost(Manifest):
    """A manifest with a field more."""

    host: str = "here"


class Reordered(Manifest):
    """A manifest whose fields stand in another order."""

    def model_dump_json(self, **options):
        dumped = self.model_dump(mode="json")
        return json.dumps(dict(reversed(dumped.items())), indent=options["indent"])


class Compact(Manifest):
    """A manifest on one line."""

    def model_dump_json(self, **options):
        return BaseModel.model_dump_json(self)


@pytest.mark.parametrize("form", [WithHost, Reordered, Compact])
def test_another_form_of_the_manifest_is_noticed(tmp_path, inputs, monkeypatch, form):
    """The check above can fail: a further field, another order, other white space."""
    before = form_of(Store(tmp_path / "before"), inputs)
    monkeypatch.setattr("tasks.engine.store.Manifest", form)

    assert form_of(Store(tmp_path / "after"), inputs) != before


def test_the_format_number_is_part_of_every_key(inputs, monkeypatch):
    """So no artifact of an old form is taken for one of the new."""
    before = stage_of(golden).key_parts(inputs)
    monkeypatch.setattr("tasks.engine.key.FORMAT", FORMAT + 1)
    after = stage_of(golden).key_parts(inputs)

    assert (before.engine, after.engine) == (FORMAT, FORMAT + 1)
    assert after.key != before.key
    assert after.model_copy(update={"engine": FORMAT}) == before


@pytest.fixture
def old_store(store):
    """A store with one artifact from before there was a format number."""
    folder = store.folder("double", OLD_KEY)
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(OLD_MANIFEST)
    (folder / "number.txt").write_text("14")
    (store.root / "runs" / "20250101-000000-old").mkdir(parents=True)
    (store.root / "runs" / "20250101-000000-old" / "run.json").write_text("{}")
    return store


def test_an_artifact_without_a_format_number_is_intact(old_store):
    """Its digests were made with sorted names; an update damages nobody's store."""
    assert old_store.find("double", OLD_KEY)["number.txt"].path.read_text() == "14"
    assert verify_store(old_store, lambda done, total: None) == []
    assert old_store.manifest("double", OLD_KEY).parts.engine is None


def test_an_edited_manifest_without_a_format_number_is_refused(old_store):
    """The old form is no way around the check."""
    path = old_store.folder("double", OLD_KEY) / MANIFEST
    path.write_text(OLD_MANIFEST.replace('"zeal": 1', '"zeal": 2'))

    with pytest.raises(DamagedError, match="edited after it was written"):
        old_store.find("double", OLD_KEY)


@pytest.mark.parametrize("used", [True, False])
def test_garbage_collection_keeps_old_artifacts_as_long_as_a_kept_run_uses_them(old_store, used):
    """Old ones are neither kept for ever nor removed too early."""
    settings = {"flow": "old", "name": "run", "settings": {}, "data": {}}
    with Journal(old_store, **settings) as journal:
        if used:
            journal.begin("double", "double", OLD_KEY)
            journal.end("Completed", 0.25)
        publish_run(old_store, journal.finished(), {}, {}, {}, latest=True)
    freed = collect_garbage(old_store, keep_last=1, dry_run=False)

    assert [(one.kind, one.name) for one in freed] == ([] if used else [("double", OLD_KEY)])
    assert list(old_store.artifacts()) == ([("double", OLD_KEY)] if used else [])


def test_the_order_of_inputs_counts(inputs):
    """Files are read in the order in which a mapping has them."""
    swapped = {**inputs, "more": dict(reversed(inputs["more"].items()))}
    keys = {stage_of(golden).key_parts(one).key for one in (inputs, swapped)}

    assert len(keys) == 2
