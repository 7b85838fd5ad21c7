"""Every stage as a plain function: references in, files out; no engine, no server, no logs."""

import json

import numpy as np
import pandas as pd
import pytest
from rich.text import Text

from autoencoders.errors import PipelineError
from autoencoders.settings import (
    PRESETS,
    ImageSettings,
    NoiseSettings,
    ReadingSettings,
    ResidualSettings,
    ResolvedTraining,
)
from flows.catalogue import CORRUPTIONS, FIGURES
from tasks.add_noise import add_noise
from tasks.draw_contact_sheet import draw_contact_sheet
from tasks.draw_glyphs import split_typefaces
from tasks.engine.files import reference
from tasks.engine.handles import FunctionRef, Output
from tasks.evaluate import evaluate
from tasks.find_files import find_files
from tasks.formats.image_table import ImageTableWriter
from tasks.ingest import ingest
from tasks.prepare import prepare
from tasks.render import render
from tasks.resolve import resolve_threads
from tasks.train import train
from tests.support import write_dataset

COUNT = 12
THREADS = resolve_threads()
TRAINING = ResolvedTraining(epochs=1, batch_size=4, precision="float32", threads=THREADS)


@pytest.fixture
def clean(saved):
    """Random images, float32 (12, 8, 8, 1)."""
    return saved("clean", np.random.default_rng(0).random((COUNT, 8, 8, 1), np.float32))


def names(output):
    return {path.name for path in output.folder.iterdir()}


def load(ref):
    return np.load(ref.path)


def test_ingest_and_prepare_turn_rows_into_images(tmp_path, output):
    """Byte 255 becomes 1, in the order of the file, with the label of the row."""
    data = write_dataset(tmp_path / "data")
    files = {role: reference(path) for role, path in find_files(data).items()}
    ingest(output, files, ImageSettings(), ReadingSettings(), seed=0)
    images = Output(tmp_path / "images")
    prepare(images, reference(output.folder / "test.parquet"))

    assert names(output) == {"train.parquet", "test.parquet", "inspection.json"}
    pixels = np.loadtxt(data / "test_data.csv", delimiter=",")
    found = np.load(images.folder / "images.npy")
    assert (found.shape, found.dtype) == ((20, 8, 8, 1), np.float32)
    assert np.array_equal(np.rint(found.reshape(20, 64) * 255), pixels)
    assert np.load(images.folder / "labels.npy").tolist() == [row % 10 for row in range(20)]


def noisy_images(folder, clean, *, split="train", seed=0, kind="gaussian", factor=0.3):
    output = Output(folder)
    noise = NoiseSettings(kind=kind, factor=factor)
    add_noise(output, clean, split, seed, noise, CORRUPTIONS[kind])
    return np.load(output.folder / "images.npy")


@pytest.mark.parametrize("kind", ["gaussian", "salt_and_pepper"])
def test_add_noise_gives_every_image_a_noisy_twin(tmp_path, clean, kind):
    """Of the same shape, in [0, 1], and of the kind that the settings name."""
    noisy = noisy_images(tmp_path / "noisy", clean, kind=kind)
    changed = noisy != load(clean)

    assert (noisy.shape, noisy.dtype) == ((COUNT, 8, 8, 1), np.float32)
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    if kind == "gaussian":
        assert changed.mean() > 0.9
    else:
        assert set(np.unique(noisy[changed])) == {0, 1}
        assert changed.mean() == pytest.approx(0.3, abs=0.06)


def test_noise_depends_on_seed_and_split_but_not_on_the_batch(tmp_path, clean, monkeypatch):
    """One stream per split, whatever the memory of the machine."""
    first = noisy_images(tmp_path / "a", clean)
    other_split = noisy_images(tmp_path / "b", clean, split="test")
    other_seed = noisy_images(tmp_path / "c", clean, seed=1)
    monkeypatch.setattr("tasks.add_noise.SIZE", 5 * 8 * 8 * 4)

    assert not np.array_equal(first, other_split)
    assert not np.array_equal(first, other_seed)
    assert np.array_equal(first, noisy_images(tmp_path / "d", clean))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network trained for an epoch, with its images and everything that was written."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "clean.npy", np.random.default_rng(0).random((COUNT, 8, 8, 1), np.float32))
    clean = reference(folder / "clean.npy")
    lines = []
    output = Output(folder / "out", report=lambda line, share: lines.append((line, share)))
    train(output, clean, clean, "autoencoder", seed=0, training=TRAINING)
    return clean, output, lines


def test_train_writes_the_network_its_history_and_its_layers(trained):
    """One row per epoch with finite losses; one row per layer, the output as large as the input."""
    _, output, lines = trained
    history = pd.read_csv(output.folder / "history.csv")
    layers = pd.read_csv(output.folder / "layers.csv")

    assert names(output) == {"autoencoder.keras", "history.csv", "layers.csv"}
    assert history.columns.tolist() == ["epoch", "loss", "val_loss"]
    assert history["epoch"].tolist() == [1]
    assert 0 < history["loss"][0] < 1
    assert 0 < history["val_loss"][0] < 1
    assert layers["output"].iloc[-1] == "8 x 8 x 1"
    assert layers["parameters"].sum() > 0
    [line] = [line for line, share in lines if share == 1 and line]
    assert line.startswith("autoencoder: epoch 1/1, loss 0.")


def test_training_again_gives_the_same_bytes(trained, tmp_path):
    """And another role, so other initial weights, gives others."""
    clean, output, _ = trained
    again, other = Output(tmp_path / "again"), Output(tmp_path / "other")
    train(again, clean, clean, "autoencoder", seed=0, training=TRAINING)
    train(other, clean, clean, "denoiser", seed=0, training=TRAINING)

    for name in names(output):
        assert (again.folder / name).read_bytes() == (output.folder / name).read_bytes()
    assert (other.folder / "history.csv").read_text() != (output.folder / "history.csv").read_text()


class StoppedError(Exception):
    """The process was stopped after an epoch."""


def assert_resumes(
    clean, folder, training, stop_after=1, noise_factor=None, epochs=None, **options
):
    """Train straight, and stopped after an epoch and resumed: the same bytes."""
    straight, epochs = Output(folder / "straight"), epochs or training.epochs
    given = (clean, clean, "denoiser", 0, training, noise_factor)
    train(straight, *given, **options)
    lines = []

    def stop(line, share):
        if line.startswith(f"denoiser: epoch {stop_after}/{epochs}, "):
            raise StoppedError

    with pytest.raises(StoppedError):
        train(Output(folder / "stopped", folder / "scratch", stop), *given, **options)
    resumed = Output(folder / "resumed", folder / "scratch", lambda line, share: lines.append(line))
    train(resumed, *given, **options)

    assert f"denoiser: resuming after epoch {stop_after}" in lines
    for name in names(straight):
        assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()
    return straight


@pytest.mark.parametrize("noise_factor", [None, 0.5])
def test_a_stopped_training_resumes_to_the_same_bytes(clean, tmp_path, noise_factor):
    """From the checkpoint in the scratch folder; with noise drawn anew in every epoch too."""
    training = TRAINING.model_copy(update={"epochs": 2})

    assert_resumes(clean, tmp_path, training, noise_factor=noise_factor)


@pytest.mark.parametrize(
    ("optimizer", "skip"),
    [
        pytest.param("rmsprop", True, marks=pytest.mark.long),
        pytest.param("adamw", False, marks=pytest.mark.slow),
        ("muon", True),
    ],
)
def test_a_training_in_steps_resumes_with_every_optimiser(saved, tmp_path, optimizer, skip):
    """Its last epoch is not whole; the file is read by Keras in safe mode, which predicts alike."""
    from autoencoders.models.fused import predictor
    from tasks.formats.keras_files import load_network

    images = np.random.default_rng(0).random((COUNT, 7, 5, 1), np.float32)
    clean, sizes = saved("clean", images), ResidualSettings(width=4, inner_width=5, mixing=True)
    training = TRAINING.model_copy(
        update={
            "steps": 7, "optimizer": optimizer, "schedule": "linear", "warmup": 0.2,
            "shift": 2, "averaging": 0.9,
        }
    )  # fmt: skip
    straight = assert_resumes(
        clean, tmp_path, training, 2, 0.5, epochs=3, noise_spread=0.4, sizes=sizes, skip=skip
    )
    network = load_network(straight.folder / "denoiser.keras")

    assert np.allclose(predictor(network)(images), network.predict(images, verbose=0), atol=1e-5)
    assert pd.read_csv(straight.folder / "history.csv")["epoch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("images", "epochs", "last"), [(600, 145, 4), (6_000, 16, 10), (60_000, 2, 205)]
)
def test_presets_in_steps_serve_any_number_of_images(images, epochs, last):
    """The cost does not grow with the images; the last epoch has what is left."""
    from tasks.train import Length

    training = ResolvedTraining.model_validate(
        {**PRESETS["fast"].training.model_dump(), "precision": "float32", "threads": 1}
    )
    length = Length.of(training, round(0.8 * images))

    assert length.steps == training.steps
    assert length.epochs == epochs
    assert length.steps_of(epochs - 1) == last
    assert sum(length.steps_of(epoch) for epoch in range(epochs)) == length.steps


@pytest.mark.parametrize("sides", [(7, 5), pytest.param((10, 9), marks=pytest.mark.slow)])
def test_images_of_any_size_are_trained_stopped_resumed_and_restored(saved, tmp_path, sides):
    """The file of the network takes and returns the user's size, as Keras itself predicts."""
    from autoencoders.models.fused import predictor
    from tasks.formats.keras_files import load_network

    images = np.random.default_rng(0).random((COUNT, *sides, 1), np.float32)
    clean = saved("clean", images)
    straight = assert_resumes(clean, tmp_path, TRAINING.model_copy(update={"epochs": 2}))
    network = load_network(straight.folder / "denoiser.keras")
    restored = predictor(network)(images)

    assert restored.shape == images.shape
    assert np.allclose(restored, network.predict(images, verbose=0), atol=1e-6)
    layers = pd.read_csv(straight.folder / "layers.csv")
    assert layers["output"].iloc[-1] == f"{sides[0]} x {sides[1]} x 1"


def scripted(losses):
    """Return a `validate` that gives these losses, whatever the network does."""
    return lambda trainer, inputs, targets, indices: next(losses)


@pytest.mark.parametrize(
    ("losses", "best", "stop_after"),
    [
        pytest.param((0.3, 0.1, 0.2, 0.1), 2, 1, marks=pytest.mark.slow),
        ((0.3, 0.1, 0.2, 0.1), 2, 3),
        pytest.param((0.4, 0.3, 0.2, 0.1), 4, 2, marks=pytest.mark.slow),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(
    clean, tmp_path, monkeypatch, losses, best, stop_after
):
    """The earliest of equal ones, also of a training that was stopped before or after it.

    They are those of a training that ended there; the history has every epoch all the same.
    """
    every = 3 * losses  # straight; stopped and resumed; short
    validate = scripted(iter(every))
    monkeypatch.setattr("autoencoders.models.training.Trainer.validate", validate)
    training = TRAINING.model_copy(update={"epochs": 4, "keep": "best"})
    kept = assert_resumes(clean, tmp_path, training, stop_after)
    short = Output(tmp_path / "short")
    train(short, clean, clean, "denoiser", 0, TRAINING.model_copy(update={"epochs": best}))

    network = "denoiser.keras"
    assert (kept.folder / network).read_bytes() == (short.folder / network).read_bytes()
    assert pd.read_csv(kept.folder / "history.csv")["val_loss"].tolist() == list(losses)


def test_too_few_images_to_validate_are_refused_before_anything_else(saved, output, monkeypatch):
    """Nothing is written, TensorFlow is not imported; the error is one that a user can fix."""
    one = saved("one", np.zeros((1, 8, 8, 1), np.float32))
    monkeypatch.setattr("tasks.train.import_tensorflow", None)

    with pytest.raises(PipelineError, match=r"Train data of 1 image, .* two are the fewest"):
        train(output, one, one, "autoencoder", seed=0, training=TRAINING)
    assert names(output) == set()


def test_a_shift_out_of_sight_is_refused_and_the_advised_one_trains(saved, output, monkeypatch):
    """Images moved by their whole height would all be alike."""
    images = saved("images", np.random.default_rng(0).random((COUNT, 6, 9, 1), np.float32))
    far, advised = (TRAINING.model_copy(update={"shift": shift}) for shift in (4, 3))
    with monkeypatch.context() as patched:
        patched.setattr("tasks.train.import_tensorflow", None)
        with pytest.raises(PipelineError, match=r"is 4, but .* 6 x 9 .*--training.shift to 3 or"):
            train(output, images, images, "autoencoder", seed=0, training=far)
    assert names(output) == set()
    train(output, images, images, "autoencoder", seed=0, training=advised)
    assert "autoencoder.keras" in names(output)


def evaluated(output, folder, saved, labels, classes=None, against=None, **errors):
    """Evaluate methods whose images have these mean squared errors."""
    refs = {"scores": {}, "levels": {}, "facts": {}}
    for method, mse in errors.items():
        table = pd.DataFrame({"mse": mse, "psnr": -10 * np.log10(mse), "ssim": np.nan})
        levels = table.assign(rounded_psnr=table["psnr"], noise="unclipped", factor=0.5)
        table.assign(image=range(len(table))).to_parquet(folder / f"{method}.scores")
        levels.to_parquet(folder / f"{method}.levels")
        facts = {"spread": {"clean": 0.4, "restored": 0.2}, "learned": {}, "left_out": None}
        (folder / f"{method}.facts").write_text(json.dumps(facts))
        for kind, found in refs.items():
            found[method] = reference(folder / f"{method}.{kind}")
    (folder / "classes.json").write_text(json.dumps(classes))
    count = len(next(iter(errors.values())))
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, 4, 4, 1)).astype(np.float32) / 255 for n in (9, count))
    test[0] = train[3]
    evaluate(
        output, **refs, clean={"train": saved("train", train), "test": saved("test", test)},
        labels=saved("labels", np.array(labels, np.int64)),
        classes=reference(folder / "classes.json"), against=against or {},
        papers={"noise": "unclipped", "factor": 0.5}, resamples=100, seed=0,
    )  # fmt: skip


def test_evaluate_calls_classes_by_their_names(saved, output, tmp_path):
    """In both tables, where labels are words."""
    evaluated(output, tmp_path, saved, [1, 0, 1], ["bag", "coat"], noisy=[0.1, 0.2, 0.3])
    per_class = pd.read_csv(output.folder / "per_class.csv", index_col="label")

    assert per_class["noisy_mse"].to_dict() == {"bag": 0.2, "coat": 0.2}
    assert pd.read_parquet(output.folder / "per_image.parquet")["label"].tolist() == [
        "coat", "bag", "coat"]  # fmt: skip


def test_evaluate_needs_no_labels(saved, output, tmp_path):
    """Without them there is no class to write of; all else is there."""
    evaluated(output, tmp_path, saved, [], noisy=[0.1, 0.2, 0.3])

    assert names(output) == {
        "metrics.json", "per_image.parquet", "groups.csv", "extremes.csv", "robustness.csv"
    }  # fmt: skip
    assert pd.read_csv(output.folder / "groups.csv")["label"].tolist() == ["all"]
    assert "label" not in pd.read_parquet(output.folder / "per_image.parquet").columns
    assert json.loads((output.folder / "metrics.json").read_text())["images"] == 3


def test_evaluate_puts_all_methods_side_by_side(saved, output, tmp_path):
    """Per image, per class and overall; the PSNR overall is that of the mean error."""
    errors = {"noisy": [0.1, 0.3, 0.2], "denoiser": [0.01, 0.03, 0.02]}
    against = {"denoiser": ["noisy", "a method that was left out"]}
    evaluated(output, tmp_path, saved, [4, 7, 7], against=against, **errors)
    metrics = json.loads((output.folder / "metrics.json").read_text())
    per_image = pd.read_parquet(output.folder / "per_image.parquet")
    per_class = pd.read_csv(output.folder / "per_class.csv")

    assert list(metrics) == ["clean", "copies_of_train", "denoiser", "images", "left_out", "noisy"]
    assert metrics["copies_of_train"] == 1
    assert metrics["noisy"]["without_copies"]["mse"] == pytest.approx(0.25)
    assert list(metrics["denoiser"]["against"]) == ["noisy"]
    assert metrics["denoiser"]["against"]["noisy"]["mse"] == pytest.approx(-0.18)
    assert metrics["denoiser"]["against"]["noisy"]["psnr"] == pytest.approx(10)
    assert metrics["denoiser"]["mse_interval"] is None  # of three images
    assert metrics["denoiser"]["as_papers"]["psnr"] == metrics["denoiser"]["psnr_mean"]
    assert (metrics["clean"], metrics["noisy"]["spread"]) == ({"spread": 0.4}, 0.2)
    assert metrics["images"] == 3
    assert metrics["noisy"]["mse"] == pytest.approx(0.2)
    assert metrics["noisy"]["psnr"] == pytest.approx(6.9897, abs=1e-4)
    assert metrics["denoiser"]["psnr_mean"] == pytest.approx(np.mean([20, 15.2288, 16.9897]))
    assert metrics["noisy"]["ssim"] is None
    assert per_image["label"].tolist() == [4, 7, 7]
    assert per_image["denoiser_mse"].tolist() == [0.01, 0.03, 0.02]
    assert per_class["images"].tolist() == [1, 2]
    assert per_class["noisy_mse"].tolist() == [0.1, 0.25]


def test_a_class_with_an_image_without_a_score_has_no_mean(saved, output, tmp_path):
    """Nor have all images together; classes without such an image have theirs."""
    labels = [2**32 - 1, 7, 7]
    evaluated(output, tmp_path, saved, labels, denoiser=[0.1, 0.2, np.nan])
    metrics = json.loads((output.folder / "metrics.json").read_text())
    per_class = pd.read_csv(output.folder / "per_class.csv", index_col="label")

    assert metrics["denoiser"]["mse"] is None
    assert per_class["images"].to_dict() == {7: 2, 2**32 - 1: 1}
    assert np.isnan(per_class["denoiser_mse"][7])
    assert per_class["denoiser_mse"][2**32 - 1] == 0.1


def drawn(folder, name, inputs, options=None, images=2):
    """Draw a figure of the catalogue; return the bytes of its PNG."""
    output = Output(folder)
    [figure] = [one for one in FIGURES if one.name == name]
    render(output, name, figure.draw, inputs, figure.options if options is None else options,
           images)  # fmt: skip
    assert names(output) == {f"{name}.png"}
    return (output.folder / f"{name}.png").read_bytes()


def test_render_draws_tables_and_images(trained, tmp_path):
    """A PNG of the figure's name; equal figures are equal bytes, other images are others."""
    clean, made, _ = trained
    history = reference(made.folder / "history.csv")
    layers = reference(made.folder / "layers.csv")
    rows = {"real": clean, "again": clean}
    pictures = [
        drawn(tmp_path / "a", "loss_curves", {"autoencoder": history}),
        drawn(tmp_path / "b", "architecture", {"network": layers}),
        drawn(tmp_path / "c", "denoising", rows),
        drawn(tmp_path / "d", "denoising", rows, images=3),
    ]

    assert {picture[:8] for picture in pictures} == {b"\x89PNG\r\n\x1a\n"}
    assert len(set(pictures)) == 4
    assert drawn(tmp_path / "e", "denoising", rows) == pictures[2]


def test_render_draws_the_distribution_of_scores(tmp_path):
    """From the Parquet table that `score` writes."""
    path = tmp_path / "scores.parquet"
    mse = np.linspace(0.01, 0.1, 20)
    pd.DataFrame({"mse": mse, "psnr": -10 * np.log10(mse)}).to_parquet(path)
    picture = drawn(tmp_path / "out", "score_distribution", {"denoiser": reference(path)})

    assert picture.startswith(b"\x89PNG")


def given_image_counts(loaded, **options):
    """Stand in for a figure: what `render` hands over becomes the content of a file."""
    counts = {label: len(images) for label, images in loaded.items()}

    class Figure:
        def savefig(self, path, **kwargs):
            path.write_text(json.dumps({"counts": counts, "options": options}))

    return Figure()


def test_render_hands_over_the_first_images_and_the_options(clean, output):
    """No more images than asked for, by the label that the figure shows."""
    draw = FunctionRef(f"{__name__}:given_image_counts")
    render(output, "counts", draw, {"a": clean, "b": clean}, {"title": "all"}, images=5)

    assert json.loads((output.folder / "counts.png").read_text()) == {
        "counts": {"a": 5, "b": 5}, "options": {"title": "all"},
    }  # fmt: skip


def test_fonts_without_letters_are_refused():
    """Where every font was a symbol font after all, there is no typeface to name."""
    with pytest.raises(PipelineError, match="None of the fonts"):
        split_typefaces([], 10, 10, seed=0)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_contact_sheet_shows_what_was_recognised(output, tmp_path, labelled):
    """The same bytes for the same tables; for a terminal as many images as fit into a line."""
    tables = {}
    rng = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 3)):
        path = tmp_path / f"{split}.parquet"
        with ImageTableWriter(path, 7 * 5 * 3, labelled=labelled) as table:
            labels = np.arange(count, dtype=np.uint32) % 2 if labelled else None
            table.write(rng.integers(0, 256, (count, 105), dtype=np.uint8), labels)
            table.finish((7, 5, 3), ["bag", "shoe"] if labelled else None)
        tables[split] = reference(path)
    again = Output(tmp_path / "again")
    draw_contact_sheet(output, tables, 20, columns=40)
    draw_contact_sheet(again, tables, 20)

    assert names(output) == {"contact_sheet.png", "contact_sheet.txt"}
    assert names(again) == {"contact_sheet.png"}
    sheets = [(one.folder / "contact_sheet.png").read_bytes() for one in (output, again)]
    assert sheets[0] == sheets[1]
    lines = Text.from_ansi((output.folder / "contact_sheet.txt").read_text()).plain.splitlines()
    assert [line for line in lines if "▀" not in line] == ["train", "test"]
    assert {len(line) for line in lines[1:5]} == {6 * 6 + 1}  # six images of five pixels
    assert len(lines[-1]) == 3 * 6 + 1
