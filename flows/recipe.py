"""What a run trained, and on which noise, from its settings as JSON, also of an older version."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def training_in_words(settings: Values) -> str:
    """Return how long and with what both networks were trained."""
    training = settings["training"]
    steps, epochs = training.get("steps"), training["epochs"]
    length = f"{steps:,} steps" if steps else f"{epochs} epochs"
    optimizer = training.get("optimizer", "rmsprop")
    return (
        f"{length}, batch size {training['batch_size']}, {optimizer} at "
        f"{training['learning_rate']:g}"
    )


def drawn_noise_in_words(settings: Values) -> str:
    """Return which noise the test images were given."""
    noise = settings["noise"]
    kind = noise["kind"].replace("_", "-").replace("gaussian", "Gaussian")
    return f"{kind} noise of factor {noise['factor']:g}"


def has_own_noise(data: Values) -> bool:
    """Return whether the user's files, by role, hold noisy images too, so that none is drawn."""
    return any(role.endswith("noisy") for role in data)


def noise_in_words(settings: Values) -> str:
    """Return which noise was drawn, and what the denoiser learned from."""
    text = drawn_noise_in_words(settings)
    if not settings["denoiser"]["fresh_noise"]:
        return text
    least, most = trained_levels(settings)
    levels = "" if least == most else f", of factors from {least:g} to {most:g}"
    return f"{text} (drawn anew in every epoch of the denoiser{levels})"


def trained_levels(settings: Values) -> tuple[float, float]:
    """Return the weakest and the strongest noise that the denoiser learned from, as factors."""
    factor, denoiser = settings["noise"]["factor"], settings["denoiser"]
    spread = denoiser.get("noise_spread", 0) if denoiser["fresh_noise"] else 0
    return max(factor - spread, 0), factor + spread


def levels_in_words(levels: tuple[float, float]) -> str:
    """Return one factor, or from which to which."""
    least, most = levels
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"
