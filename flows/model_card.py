"""What goes out with exported networks: a model card, and programs of ten lines that use them."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.inspection import inspection_table
from flows.networks import ChosenRun
from flows.recipe import levels_in_words, noise_in_words, training_in_words
from flows.results import markdown_table, metrics_table
from tasks.export import Exported

PYTHON = '''"""Restore the example image: pip install numpy onnxruntime, then python example.py"""
import json, pathlib
import numpy as np
import onnxruntime

here = pathlib.Path(__file__).parent
example = json.loads((here / "{name}.example.json").read_text())
image = np.array(example["image"], np.float32).reshape(1, *example["shape"])  # in [0, 1]
[restored] = onnxruntime.InferenceSession(here / "{name}.onnx").run(None, {{"image": image}})
print("largest difference:", np.abs(restored.ravel() - example["restored"]).max())
'''
LITERT = '''"""Restore the example image: pip install numpy ai-edge-litert; python example.py"""
import json, pathlib
import numpy as np
from ai_edge_litert.interpreter import Interpreter

here = pathlib.Path(__file__).parent
example = json.loads((here / "{name}.example.json").read_text())
image = np.array(example["image"], np.float32).reshape(1, *example["shape"])  # in [0, 1]
restore = Interpreter(str(here / "{name}.tflite")).get_signature_runner()
[restored] = restore(image=image).values()
print("largest difference:", np.abs(restored.ravel() - example["restored"]).max())
'''
SAVED_MODEL = '''"""Restore the example image: pip install tensorflow, then python example.py"""
import json, pathlib
import numpy as np
import tensorflow as tf

here = pathlib.Path(__file__).parent
example = json.loads((here / "{name}.example.json").read_text())
image = np.array(example["image"], np.float32).reshape(1, *example["shape"])  # in [0, 1]
network = tf.saved_model.load(here / "saved_model" / "{name}")
restored = network.serve(image).numpy()
print("largest difference:", np.abs(restored.ravel() - example["restored"]).max())
'''
JAVASCRIPT = """// Restore the example image: npm install onnxruntime-web, then node example.mjs
import fs from "node:fs";
import * as ort from "onnxruntime-web";

const file = (name) => fs.readFileSync(new URL(name, import.meta.url));
const example = JSON.parse(file("{name}.example.json"));
const session = await ort.InferenceSession.create(file("{name}.onnx"));
const image = new ort.Tensor("float32", Float32Array.from(example.image), [1, ...example.shape]);
const {{ restored }} = await session.run({{ image }}); // in [0, 1]
const errors = example.restored.map((value, at) => Math.abs(value - restored.data[at]));
console.log("largest difference:", Math.max(...errors));
"""
PROGRAMS = {
    "onnx": {"example.py": PYTHON, "example.mjs": JAVASCRIPT},
    "litert": {"example.py": LITERT},
    "saved_model": {"example.py": SAVED_MODEL},
}
"""By format, the programs that use it; of several formats, the first one's."""


def programs(formats: Sequence[str], name: str) -> dict[str, str]:
    """Return programs that restore one image with the network called `name`, by file name."""
    found = PROGRAMS[next(one for one in PROGRAMS if one in formats)]
    return {file: text.format(name=name) for file, text in found.items()}


def model_card(
    run: ChosenRun, files: Sequence[Exported], texts: Mapping[str, str], *, examples: bool
) -> str:
    """Return the model card as Markdown.

    Args:
        run: Where the networks are from.
        files: What was exported.
        texts: The programs beside it.
        examples: Whether the networks were compared on test images, not on noise.
    """
    lines = [
        "# Autoencoder and denoiser",
        "",
        "Networks that get an image and return it: `autoencoder` through its bottleneck, "
        "`denoiser` without the noise. Any number of images at a time, float32 (images, height, "
        "width, channels) in [0, 1]; input `image`, output `restored` of the same shape.",
        "",
        *_use(texts),
        *_files(files, examples=examples),
        *_training(run),
        *_metrics(run.metrics),
        *_limits(run),
        "## How to cite",
        "",
        f"Name the pipeline (autoencoder-pipeline) and this run: {run.name}. The exact networks "
        "are those of the sha256 in `manifest.json`.",
        "",
    ]
    return "\n".join(lines)


def _use(texts: Mapping[str, str]) -> list[str]:
    lines = ["## Use", ""]
    for name, text in texts.items():
        language = "python" if name.endswith(".py") else "javascript"
        lines += [f"```{language}", text.rstrip("\n"), "```", ""]
    return lines


def _files(files: Sequence[Exported], *, examples: bool) -> list[str]:
    on = "test images" if examples else "images of uniform noise (no test images were at hand)"
    return [
        "## Files",
        "",
        f"Compared with Keras on 256 {on}; milliseconds per image in batches of 256, on the "
        "machine that exported them.",
        "",
        "| file | runtime | MB | largest difference | lost (dB) | ms per image |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *map(_file_row, files),
        "",
    ]


def _file_row(one: Exported) -> str:
    loss = "" if one.loss is None else f"{round(one.loss, 2) + 0.0:.2f}"  # never -0.00
    return (
        f"| {one.name} | {one.runtime} | {one.size / 1e6:.2f} | {one.error:.1e} | {loss} | "
        f"{one.milliseconds:.3f} |"
    )


def _training(run: ChosenRun) -> list[str]:
    settings = run.settings
    lines = ["## Data and training", ""]
    if run.inspection:
        lines += [f"- {one['what']}: {one['found']}" for one in inspection_table(run.inspection)]
    lines += [f"- {role}: sha256 `{one['sha256']}`" for role, one in sorted(run.data.items())]
    if settings:
        own = "noise of the user's own, in pairs of noisy and clean images"
        drawn = "" if run.own_noise else f"{noise_in_words(settings)}, clipped to [0, 1]"
        lines.append(f"- {drawn or own}")
        lines.append(f"- {training_in_words(settings)}, seed {settings.get('seed')}")
    lines.append(
        "- licence of the data: not recorded by the run; say it here before you hand the networks "
        "on, since they were made from the data"
    )
    return [*lines, ""]


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    rows = metrics_table(metrics)
    if not rows:
        return []
    return [
        f"## Results on {metrics.get('images', 0):,} test images",
        "",
        "The first row is the baseline: nothing is done. In parentheses are 95 % intervals over "
        "draws of test images; `metrics.json` has all figures.",
        "",
        *markdown_table(rows),
        "",
    ]


def _limits(run: ChosenRun) -> list[str]:
    lines = [
        "## Limits",
        "",
        "- Trained on one kind of image and of noise; of others, the networks make what they know. "
        "A denoiser invents what noise has hidden: do not use it where that matters.",
        "- Pictures of another size go through in tiles: `autoencoders denoise` does that.",
    ]
    if levels := run.trained_noise:
        lines.append(
            f"- Noise much weaker or stronger than a factor of {levels_in_words(levels)} comes out "
            "blurred, or stays."
        )
    return [*lines, ""]
