"""What a training step and a prediction cost, beside plain Keras, and PyTorch where it is there.

Each contender is a process of its own that waits for its turn, so they do not share threads, and
whatever else the machine does falls on all of them alike.
"""

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.settings import PRESETS, REFERENCE, PresetName
from autoencoders.training_settings import Precision
from tasks.resolve import resolve_settings, resolve_threads
from tasks.runtime import import_tensorflow
from tests.bench.tools import HOME, Figures, Table, peak_memory

if TYPE_CHECKING:
    import keras

Row = list[str]
BATCH, STEPS, ROUNDS = 128, 8, 9
SHAPE = (28, 28, 1)
FITTING = "Keras `fit`"
FIT = f"{FITTING}, float32"
PREDICT = "Keras `predict`"


def denoiser(preset: PresetName) -> "keras.Model":
    """Build the denoiser of a preset."""
    from autoencoders.models.network import build_network
    from autoencoders.models.residual import build_residual

    settings = PRESETS[preset]
    if settings.denoiser.network == "reference":
        return build_network(SHAPE, 0)
    return build_residual(SHAPE, 0, settings.residual, skip=True)


def keras_fit(policy: str, preset: PresetName = "reference") -> Callable[[], object]:
    """What a notebook does."""
    import keras

    keras.config.set_dtype_policy(policy)
    network = denoiser(preset)
    network.compile("rmsprop", "mse")
    images = random_images(BATCH * STEPS)
    return lambda: network.fit(images, images, batch_size=BATCH, verbose=0, shuffle=False)


def ours(precision: Precision, preset: PresetName = "reference") -> Callable[[], object]:
    """What the stage `train` does."""
    import_tensorflow(resolve_threads(), print)
    from autoencoders.models.optimisers import make_optimizer
    from autoencoders.models.training import Trainer

    settings = resolve_settings(PRESETS[preset])
    training = settings.training.model_copy(update={"precision": precision})
    fresh = settings.denoiser.fresh_noise
    trainer = Trainer(
        denoiser(preset), make_optimizer(training, steps=1000), batch_size=BATCH, seed=0,
        precision=precision, noise_factor=settings.noise.factor if fresh else None,
        noise_spread=settings.denoiser.noise_spread,
    )  # fmt: skip
    images, order = random_images(BATCH * STEPS), np.arange(BATCH * STEPS)
    return lambda: trainer.train_epoch(images, images, order, 0)


def torch_step(autocast: bool) -> Callable[[], object]:
    """The same network and optimiser in PyTorch, in its best layout."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 64, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.Conv2d(64, 1, 3, padding=1), nn.Sigmoid(),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    optimizer = torch.optim.RMSprop(network.parameters(), 0.001, 0.9, 1e-7)
    images = torch.from_numpy(random_images(BATCH * STEPS)).permute(0, 3, 1, 2)

    def run() -> None:
        for batch in images.split(BATCH):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                outputs = network(batch)
            nn.functional.mse_loss(outputs.float(), batch).backward()
            optimizer.step()

    return run


def enlarging(side: int, inputs: int, outputs: int, folded: bool) -> Callable[[], object]:
    """Upsampling and the convolution after it, forward and backward."""
    if folded:
        import_tensorflow(resolve_threads(), print)
    import keras
    import tensorflow as tf

    from autoencoders.models.fused import fused_form

    network = keras.Sequential([
        keras.Input((side, side, inputs)),
        keras.layers.UpSampling2D(2),
        keras.layers.Conv2D(outputs, 3, padding="same"),
    ])  # fmt: skip
    function = fused_form(network, "float32") if folded else network
    images = tf.random.stateless_normal((BATCH, side, side, inputs), (0, 0))

    @tf.function
    def step(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_mean(tf.square(function(images)))
        return tape.gradient(loss, [images, *network.trainable_variables])  # type: ignore[no-any-return]

    return lambda: [step(images)[0].numpy() for _ in range(STEPS)]


def keras_predict() -> Callable[[], object]:
    """Keras's own, with its own batches of 32."""
    from autoencoders.models.network import build_network

    network, images = build_network(SHAPE, 0), random_images(BATCH * STEPS)
    return lambda: network.predict(images, verbose=0)


def our_predict() -> Callable[[], object]:
    """What the stage `restore` does."""
    import_tensorflow(resolve_threads(), print)
    from autoencoders.models.fused import predictor
    from autoencoders.models.network import build_network

    predict, images = predictor(build_network(SHAPE, 0)), random_images(BATCH * STEPS)
    return lambda: predict(images)


TRAINING: dict[str, Callable[[], Callable[[], object]]] = {
    FIT: lambda: keras_fit("float32"),
    "Keras `fit`, mixed_bfloat16": lambda: keras_fit("mixed_bfloat16"),
    "ours, float32": lambda: ours("float32"),
    "ours, bfloat16": lambda: ours("bfloat16"),
    "PyTorch, float32, channels_last": lambda: torch_step(False),
    "PyTorch, bfloat16 autocast, channels_last": lambda: torch_step(True),
}
NETWORKS: dict[str, Callable[[], Callable[[], object]]] = {
    f"{who}, denoiser of `{preset}`": partial(work, "float32", preset)
    for preset in ("fast", "best")
    for who, work in ((FITTING, keras_fit), ("ours", ours))
}
FOLD: dict[str, Callable[[], Callable[[], object]]] = {
    f"{who}, {inputs} -> {outputs} channels": partial(enlarging, side, inputs, outputs, folded)
    for side, inputs, outputs in ((7, 128, 64), (14, 64, 1))
    for who, folded in (("Keras", False), ("ours", True))
}
PREDICTION: dict[str, Callable[[], Callable[[], object]]] = {
    PREDICT: keras_predict,
    "ours, float32": our_predict,
}


def random_images(count: int) -> np.ndarray:
    """Images, float32 in [0, 1]."""
    return np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)


def contend() -> None:
    """Be a contender: do its work once for each line that comes in, and say what it took."""
    what, name = sys.argv[1:]
    contenders = {
        "training": TRAINING, "networks": NETWORKS, "fold": FOLD, "prediction": PREDICTION
    }  # fmt: skip
    work = contenders[what][name]()
    work()
    work()
    print("ready", flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        print(time.process_time() - cpu, time.perf_counter() - wall, peak_memory(), flush=True)


def contest(what: str, names: list[str]) -> dict[str, Figures]:
    """Let contenders work in turns; return the medians of their figures."""
    code = "from tests.bench.training import contend; contend()"
    running = {
        name: subprocess.Popen(
            [sys.executable, "-c", code, what, name], cwd=HOME, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        for name in names
    }  # fmt: skip
    found: dict[str, list[list[float]]] = {name: [] for name in names}
    try:
        for process in running.values():
            while (line := process.stdout.readline()).strip() != "ready":  # type: ignore[union-attr]
                if not line:
                    sys.exit("A contender did not start.")
        for _ in range(ROUNDS):
            for name, process in running.items():
                process.stdin.write("\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                answer = process.stdout.readline()  # type: ignore[union-attr]
                found[name].append([float(figure) for figure in answer.split()])
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return {
        name: (statistics.median(cpu), statistics.median(wall), max(peak))
        for name, (cpu, wall, peak) in (
            (name, zip(*rounds, strict=True)) for name, rounds in found.items()
        )
    }


def compared(what: str, names: list[str], base_of: Callable[[str], str], unit: str) -> list[Row]:
    """Let contenders work; return a row each: CPU and wall time of a step (`unit` ms) or of an
    image (µs), both as ratios to those of its base, and its memory at most."""
    found = contest(what, names)
    scale, digits = (1e3 / STEPS, 1) if unit == "ms" else (1e6 / STEPS / BATCH, 0)
    rows = []
    for name, (cpu, wall, peak) in found.items():
        base_cpu, base_wall, _ = found[base_of(name)]
        rows.append([
            name, f"{scale * cpu:.{digits}f}", f"{scale * wall:.{digits}f}",
            f"{cpu / base_cpu:.2f}", f"{wall / base_wall:.2f}", f"{peak:.0f}",
        ])  # fmt: skip
    return rows


def header(unit: str) -> list[str]:
    """Name the columns of `compared`."""
    return ["how", f"CPU-{unit}", unit, "CPU against Keras", "time against Keras", "peak MiB"]


def training_step(data: Path) -> Table:
    """Compare training steps; random images, since the numbers do not matter here."""
    # Without units for bfloat16 a step of it takes seconds, and nobody would choose it
    only_float32 = resolve_settings(REFERENCE).training.precision == "float32"
    names = [
        name
        for name in TRAINING
        if not (only_float32 and "bfloat16" in name)
        and (not name.startswith("PyTorch") or importlib.util.find_spec("torch"))
    ]
    return Table(
        "A training step of the reference network",
        f"Batch {BATCH}, with reading, optimiser and loss; medians of {ROUNDS} rounds, in turns.",
        header("ms"),
        compared("training", names, lambda name: FIT, "ms"),
    )


def networks(data: Path) -> Table:
    """Compare training steps of the denoisers of the other presets."""
    return Table(
        "A training step of the networks of `fast` and `best`",
        f"Float32, batch {BATCH}; medians of {ROUNDS} rounds, in turns. Keras trains the same "
        "network with RMSprop; ours draws fresh noise besides, and its optimiser is Muon.",
        header("ms"),
        compared("networks", list(NETWORKS), lambda name: name.replace("ours", FITTING), "ms"),
    )


def fold(data: Path) -> Table:
    """Compare upsampling and a convolution with the two in one."""
    return Table(
        "Upsampling folded into the convolution after it",
        f"Forward and backward, float32, batch {BATCH}; medians of {ROUNDS} rounds, in turns.",
        header("ms"),
        compared("fold", list(FOLD), lambda name: name.replace("ours", "Keras"), "ms"),
    )


def prediction(data: Path) -> Table:
    """Compare predictions of a thousand images."""
    return Table(
        "Restoring an image",
        f"{BATCH * STEPS} images; medians of {ROUNDS} rounds, in turns.",
        header("µs"),
        compared("prediction", list(PREDICTION), lambda name: PREDICT, "µs"),
    )
