"""The steps of a retraining: a challenger is trained, and compared with the champion."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoencoders.errors import PipelineError
from autoencoders.retraining import RetrainSettings
from autoencoders.settings import NoiseSettings, ResolvedSettings
from flows.catalogue import CORRUPTIONS, METHODS
from flows.champion import NETWORK, Champion
from flows.evaluation import Files, examination, measure_classical
from flows.images import (
    corrupt_images,
    has_noisy_twins,
    make_images,
    read_files,
    table_names,
)
from flows.training import train_network
from tasks.add_noise import add_noise
from tasks.choose_unseen import choose_unseen
from tasks.decide import MAIN, decide
from tasks.engine.handles import ArtifactRef
from tasks.engine.manifest import Artifact
from tasks.engine.runner import Steps
from tasks.mark_seen import mark_seen
from tasks.measure_drift import measure_drift
from tasks.measure_given import measure_given
from tasks.measure_network import measure_network
from tasks.measuring import Exam
from tasks.merge import merge
from tasks.profile import profile

DENOISER, LINEAR_MAP = ({one.name: one for one in METHODS}[name] for name in ("denoiser", "lmmse"))
NEIGHBOURS = {"weaker noise": 0.8, "stronger noise": 1.25}
"""By name, what the noise factor is multiplied by."""
OWN = "test images of the champion"


@dataclass(frozen=True)
class Challenge:
    """One retraining under way."""

    step: Steps
    data: Mapping[str, ArtifactRef]
    """The user's files by role."""
    inbox: Mapping[str, Mapping[str, ArtifactRef]]
    """By entry of the inbox, its files by role."""
    settings: ResolvedSettings
    retrain: RetrainSettings
    champion: Champion | None
    margin: float
    """The least gain, in dB."""
    files: Files = field(default_factory=dict)
    """What was made, by what it is; what is under `evidence/` is for later retrainings."""

    @property
    def twins(self) -> bool:
        """Whether the noise is the user's own."""
        return has_noisy_twins(self.data, self.settings)

    def read_images(self) -> None:
        """Check all files, and make images of them."""
        step, files, twins = self.step, self.files, self.twins
        found = [read_files(step, "ingest", self.data, self.settings)]
        files["inspection.json"] = found[0]["inspection.json"]
        for entry, refs in self.inbox.items():
            found.append(read_files(step, f"ingest {entry}", refs, self.settings))
            files[f"inbox/{entry}/inspection.json"] = found[-1]["inspection.json"]
        names = [f"{name}.parquet" for name in table_names(twins=twins)]
        for entry, one in zip(self.inbox, found[1:], strict=True):
            if {name for name in one.files if name.endswith("parquet")} != set(names):
                raise PipelineError(
                    f"{entry}: some images come with noisy twins and others without.",
                    "Give twins of all images, or of none.",
                )
        tables = {name: found[0][name] for name in names}
        if self.inbox:
            keys = ["data", *(f"{n} {_plain(entry)}" for n, entry in enumerate(self.inbox, 1))]
            for name in names:
                parts = {key: one[name] for key, one in zip(keys, found, strict=True)}
                made = step(f"merge {name.removesuffix('.parquet')}", merge, tables=parts)
                tables[name] = made["images.parquet"]
        kept = {name.removesuffix(".parquet"): ref for name, ref in tables.items()}
        self._require_shape()
        make_images(step, files, kept, twins=twins)
        if not twins:
            corrupt_images(step, files, self.settings.noise, self.settings.seed)

    def other_ranges(self) -> list[str]:
        """Say which entries of the inbox have another range of values than the data."""
        data, *entries = (
            json.loads(self.files[f"{place}inspection.json"].path.read_bytes())["range"]
            for place in ("", *(f"inbox/{entry}/" for entry in self.inbox))
        )
        return [
            f"In {entry} of the inbox, {_ends(used)}, but in the data {_ends(data)}. If the same "
            "camera or program made both, one of them is read too bright or too dark: set "
            "--image.black and --image.white."
            for entry, used in zip(self.inbox, entries, strict=True)
            if (used["black"], used["white"]) != (data["black"], data["white"])
        ]

    def _require_shape(self) -> None:
        """Refuse images that the champion cannot take."""
        if self.champion is None:
            return
        ours, theirs = (
            json.loads(files["inspection.json"].path.read_bytes())["shape"]
            for files in (self.files, self.champion.files)
        )
        if ours != theirs:
            raise PipelineError(
                f"The images are {_size(ours)}, but the champion was trained on {_size(theirs)}, "
                "so the two cannot be compared.",
                "Give images of that shape, or begin anew in another folder with --artifacts.",
            )

    def find_unseen(self) -> dict[str, int]:
        """Find the test images that neither network has seen; return how many there are."""
        champion, files = self.champion, self.files
        known = {} if champion is None else {"champion": champion.files["evidence/seen.npy"]}
        made = self.step(
            "mark seen images", mark_seen, images=files["images/train/clean"],
            earlier=known if self.retrain.start == "champion" else {},
        )  # fmt: skip
        files["evidence/seen.npy"] = made["seen.npy"]
        images = {"clean": files["images/test/clean"]}
        if self.twins:
            images["noisy"] = files["images/test/noisy"]
        made = self.step(
            "choose unseen images", choose_unseen, images=images, labels=files["labels/test"],
            seen={**known, "challenger": made["seen.npy"]},
        )  # fmt: skip
        files["evidence/test.npy"] = made["clean.npy"]
        files["evidence/test_labels.npy"] = made["labels.npy"]
        if self.twins:
            files["evidence/test_noisy.npy"] = made["noisy.npy"]
        counts: dict[str, int] = json.loads(made["counts.json"].path.read_bytes())
        return counts

    def measure_drift(self) -> list[dict[str, Any]]:
        """Compare the data with those of the champion; there is no drift without one."""
        champion, files = self.champion, self.files
        made = self.step(
            "profile", profile, clean=files["images/train/clean"],
            noisy=files["images/train/noisy"], labels=files["labels/train"],
            classes=files["labels/train/classes"],
        )  # fmt: skip
        files["evidence/profile.parquet"] = made["profile.parquet"]
        files["evidence/class_counts.json"] = made["class_counts.json"]
        if champion is None:
            return []
        errors = self._scored("champion", champion.files[NETWORK], MAIN)
        made = self.step(
            "measure drift", measure_drift,
            before=_profile(champion.files, champion.files["evidence/errors.parquet"]),
            now=_profile(files, errors),
            ks=self.retrain.ks, psi=self.retrain.psi,
        )  # fmt: skip
        files["drift.json"] = made["drift.json"]
        found: list[dict[str, Any]] = json.loads(made["drift.json"].path.read_bytes())
        return found

    def train(self) -> None:
        """Train the challenger."""
        goes_on = self.champion is not None and self.retrain.start == "champion"
        initial = self.champion.files[NETWORK] if self.champion and goes_on else None
        label = "train challenger"
        train_network(self.step, self.files, self.settings, DENOISER, label, initial)

    def compare(self) -> dict[str, Any]:
        """Score champion and challenger on the same images and noise; return the decision."""
        files, champion = self.files, self.champion
        scores: dict[str, Files] = {"champion": {}, "challenger": {}}
        for name in self._comparisons():
            networks = {"challenger": files[NETWORK]}
            if champion is None:  # what the first one must beat are the noisy images themselves
                made = self._measured(measure_given, "noisy images", name)
                scores["champion"][name] = made["scores.parquet"]
            else:
                networks["champion"] = champion.files[NETWORK]
            for who, network in networks.items():
                scores[who][name] = self._scored(who, network, name)
        files["evidence/errors.parquet"] = scores["challenger"][MAIN]
        labels = files["evidence/test_labels.npy"]
        made = self.step(
            "decide", decide, champion=scores["champion"], challenger=scores["challenger"],
            baseline=self._baseline(), labels=labels, classes=files["labels/test/classes"],
            first=champion is None, margin=self.margin if champion else 0.0,
            retrain=self.retrain, seed=self.settings.seed,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(made["decision.json"].path.read_bytes())
        return found

    def _comparisons(self) -> list[str]:
        """Return on what the two are compared."""
        if self.champion is None:
            return [MAIN]
        drawn = self.settings.noise.factor > 0 and not self.twins
        return [MAIN, *(NEIGHBOURS if drawn else ()), *([OWN] if self._has_own_images() else ())]

    def _has_own_images(self) -> bool:
        """Return whether the champion's test images differ from the new ones, and are enough."""
        assert self.champion is not None
        theirs = self.champion.files
        if theirs["evidence/test.npy"].sha256 == self.files["evidence/test.npy"].sha256:
            return False
        kinds = {"clean": "evidence/test.npy"}
        if self.twins:
            kinds["noisy"] = "evidence/test_noisy.npy"
        if not theirs.keys() >= set(kinds.values()):
            return False  # its noise was drawn, now it is the user's own
        made = self.step(
            "choose images of the champion", choose_unseen,
            images={kind: theirs[place] for kind, place in kinds.items()},
            labels=theirs["evidence/test_labels.npy"],
            seen={"challenger": self.files["evidence/seen.npy"]},
        )  # fmt: skip
        self.files.update({f"images/{OWN}/{kind}": made[f"{kind}.npy"] for kind in kinds})
        left: int = json.loads(made["counts.json"].path.read_bytes())["left"]
        return left >= self.retrain.images

    def _pair(self, name: str) -> tuple[ArtifactRef, ArtifactRef]:
        """Return the clean and the noisy images of a comparison."""
        files, noise = self.files, self.settings.noise
        own, drawn = name == OWN, f"noisy/{name}"
        clean = files[f"images/{OWN}/clean" if own else "evidence/test.npy"]
        if self.twins:
            return clean, files[f"images/{OWN}/noisy" if own else "evidence/test_noisy.npy"]
        if drawn not in files:
            made = self.step(
                f"add noise: {name}", add_noise, images=clean, split=name, seed=self.settings.seed,
                noise=_scaled(noise, NEIGHBOURS.get(name, 1.0)), corrupt=CORRUPTIONS[noise.kind],
            )  # fmt: skip
            files[drawn] = made["images.npy"]
        return clean, files[drawn]

    def _scored(self, who: str, network: ArtifactRef, name: str) -> ArtifactRef:
        """Score a network on the images of a comparison."""
        scores = f"scores/{who}/{name}"
        if scores not in self.files:
            made = self._measured(measure_network, who, name, network=network)
            self.files[scores] = made["scores.parquet"]
        return self.files[scores]

    def _measured(self, measure: Any, who: str, name: str, **what: ArtifactRef) -> Artifact:
        clean, noisy = self._pair(name)
        return self.step(
            f"score {who}: {name}", measure, test={"clean": clean, "given": noisy},
            exam=self._exam(), threads=self.settings.training.threads, **what,
        )  # fmt: skip

    def _exam(self) -> Exam:
        """Return how networks are compared: on all images, at no other noise than these have."""
        return {**examination(self.settings, slow=False, own_noise=True), "factors": []}

    def _baseline(self) -> Files:
        """Score the best linear map on the unseen images; nothing where it would be too large."""
        clean, noisy = self._pair(MAIN)
        made = measure_classical(
            self.step, f"score linear map: {MAIN}", self.files, self.settings, LINEAR_MAP,
            {"clean": clean, "given": noisy}, self._exam(), own_noise=self.twins,
        )  # fmt: skip
        left_out = json.loads(made["facts.json"].path.read_bytes())["left_out"]
        return {} if left_out else {MAIN: made["scores.parquet"]}


def _profile(files: Mapping[str, ArtifactRef], errors: ArtifactRef) -> Files:
    return {
        "errors": errors,
        "profile": files["evidence/profile.parquet"],
        "classes": files["evidence/class_counts.json"],
    }


def _ends(used: Mapping[str, Any]) -> str:
    return f"{used['black']:g} is black and {used['white']:g} is white"


def _size(shape: list[int]) -> str:
    return " x ".join(map(str, shape))


def _scaled(noise: NoiseSettings, by: float) -> NoiseSettings:
    """Return noise of another strength, within what the kind allows."""
    most = 1.0 if noise.kind == "salt_and_pepper" else 10.0
    return noise.model_copy(update={"factor": min(most, noise.factor * by)})


def _plain(name: str) -> str:
    """Return a name without dots, which names of inputs cannot have."""
    return name.replace(".", "_")
