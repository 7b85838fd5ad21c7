"""The steps of an experiment: points are trained, and what was chosen is scored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoencoders.errors import DivergedError, PipelineError
from autoencoders.experiments.outcomes import mean_and_spread, psnr_of
from autoencoders.experiments.points import Point
from autoencoders.settings import ResolvedSettings, Settings
from flows.catalogue import METHODS, Method
from flows.evaluation import Files, score_methods
from flows.images import corrupt_images, has_noisy_twins, import_images
from flows.recipe import has_own_noise
from flows.results import read_losses
from flows.training import take_network, training_of, training_step
from tasks.engine.handles import ArtifactRef
from tasks.engine.manifest import Artifact
from tasks.engine.runner import Step, StepsTogether
from tasks.engine.runs import Run
from tasks.resolve import resolve_settings

GIVEN = METHODS[0]
"""The method that leaves images alone, which networks are compared with."""
TRAINED, GIVEN_UP, DIVERGED = "trained", "given up", "diverged"
IMPOSSIBLE, REPEATED = "impossible", "repeated"
"""What can become of a point."""


@dataclass(frozen=True)
class Training:
    """What came of one training."""

    seed: int
    loss: float
    """The validation loss of the weights that were kept."""
    cpu_seconds: float | None
    """What it cost when it was computed; None of one from before that was recorded."""
    files: Files


@dataclass(frozen=True)
class Trial:
    """One point, and what came of it."""

    number: int
    point: Point
    state: str
    trainings: Sequence[Training] = ()
    """One per seed; of a point that was given up, the short one."""
    note: str = ""
    """Why nothing came of it."""

    @property
    def psnr(self) -> tuple[float, float | None]:
        """Mean and standard deviation, over seeds, of the PSNR on the validation images, in dB."""
        return mean_and_spread([psnr_of(max(one.loss, 1e-12)) for one in self.trainings])

    @property
    def cost(self) -> float | None:
        """The CPU seconds of a training, in the mean over seeds; None if it is not known."""
        known = [one.cpu_seconds for one in self.trainings if one.cpu_seconds is not None]
        return sum(known) / len(known) if known and len(known) == len(self.trainings) else None


@dataclass(frozen=True)
class Trials:
    """The trainings of one experiment."""

    step: StepsTogether
    run: Run | None
    """The run under way; None of one that is only planned."""
    data: Mapping[str, ArtifactRef]
    base: ResolvedSettings
    """What all points have in common."""
    method: Method
    """Whose network is trained."""
    seeds: int
    """How many trainings each point is, with the seed of the settings and those after it."""
    files: Files = field(default_factory=dict)
    """The images that all have in common."""
    _noisy: dict[Any, Files] = field(default_factory=dict)

    def read_images(self) -> None:
        """Check the user's files, and make images of them, once for all points."""
        twins = has_noisy_twins(self.data, self.base)
        import_images(self.step, self.files, self.data, self.base, twins=twins)

    def train(self, points: Mapping[int, Point]) -> list[Trial]:
        """Train points, by their number, with every seed."""
        wanted = [
            self._request(point, point.settings, self.base.seed + offset)
            for point in points.values() for offset in range(self.seeds)
        ]  # fmt: skip
        found = iter(self._trainings(wanted))
        return [
            self._trial(number, point, [next(found) for _ in range(self.seeds)])
            for number, point in points.items()
        ]

    def _trial(self, number: int, point: Point, found: Sequence[Training | DivergedError]) -> Trial:
        trainings = [one for one in found if isinstance(one, Training)]
        errors = [one.problem for one in found if isinstance(one, DivergedError)]
        if errors:
            return Trial(number, point, DIVERGED, note=errors[0])
        return Trial(number, point, TRAINED, trainings)

    def train_short(self, point: Point, settings: Settings, what: str) -> Training | DivergedError:
        """Do a shorter training of a point, with the first seed.

        Args:
            point: The point.
            settings: Its settings, with that length.
            what: How it differs from the training of the point, for its name.
        """
        [found] = self._trainings([self._request(point, settings, self.base.seed, what)])
        return found

    def _request(
        self, point: Point, settings: Settings, seed: int, what: str = ""
    ) -> tuple[ResolvedSettings, Files, Step]:
        """Return a training: a step of the main job, under a name of its own."""
        resolved = resolve_settings(settings.model_copy(update={"seed": seed}))
        files = dict(self._images(resolved))
        words = ", ".join(filter(None, [point.words, f"seed {seed}", what]))
        label = f"train {self.method.name}: {words}"
        return resolved, files, training_step(files, resolved, self.method, label)

    def _trainings(
        self, wanted: Sequence[tuple[ResolvedSettings, Files, Step]]
    ) -> list[Training | DivergedError]:
        made = self.step.together([step for _, _, step in wanted], DivergedError)
        return [
            one if isinstance(one, DivergedError) else self._training(settings, files, one)
            for (settings, files, _), one in zip(wanted, made, strict=True)
        ]

    def _training(self, settings: ResolvedSettings, files: Files, made: Artifact) -> Training:
        take_network(files, self.method, made)
        if self.run is None:
            return Training(settings.seed, 1.0, None, files)
        losses = read_losses(made["history.csv"])
        kept = min(losses) if settings.training.keep == "best" else losses[-1]
        cost = self.run.store.manifest(made.stage, made.key).cpu_seconds
        return Training(settings.seed, kept, cost, files)

    def _images(self, settings: ResolvedSettings) -> Files:
        """Return the images with their noisy twins, which one noise and seed share."""
        if self.method.reads == "clean" or has_own_noise(self.data):
            return self.files
        noise = settings.noise
        key = (noise.kind, noise.factor, settings.seed)
        if key not in self._noisy:
            files = dict(self.files)
            suffix = f": {noise.kind} {noise.factor:g}, seed {settings.seed}"
            corrupt_images(self.step, files, noise, settings.seed, suffix)
            self._noisy[key] = files
        return self._noisy[key]

    def score(self, trial: Trial) -> list[dict[str, Any]]:
        """Score the networks of a point on the test images; return the metrics of each seed."""
        found = []
        for one in trial.trainings:
            settings = resolve_settings(trial.point.settings.model_copy(update={"seed": one.seed}))
            files = dict(one.files)
            methods = (GIVEN, self.method) if self.method.reads == "noisy" else (self.method,)
            score_methods(
                self.step, files, settings, own_noise=has_own_noise(self.data), methods=methods,
                suffix=f": point {trial.number}, seed {one.seed}",
            )  # fmt: skip
            metrics = json.loads(files["metrics.json"].path.read_bytes())
            found.append({**metrics[self.method.name], "images": metrics["images"]})
        return found


def require_different(points: Sequence[Point], method: Method) -> None:
    """Refuse points that are the same training.

    Raises:
        PipelineError: If two are.
    """
    seen: dict[str, Point] = {}
    for point in points:
        recipe = identity(point, method)
        if recipe in seen:
            raise PipelineError(
                f"--grid: the points {seen[recipe].words} and {point.words} are the same training.",
                "Leave out a setting that has no effect in combination with the others.",
            )
        seen[recipe] = point


def identity(point: Point, method: Method) -> str:
    """Return a text that two points have in common only if they are the same training."""
    settings = resolve_settings(point.settings)
    inputs = training_of(settings, method)
    values = {
        name: one.model_dump(mode="json") if hasattr(one, "model_dump") else one
        for name, one in inputs.items()
    }
    noise = settings.noise.model_dump(mode="json") if method.reads == "noisy" else None
    return json.dumps([values, noise], sort_keys=True)
