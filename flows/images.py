"""From the user's files to images and their noisy twins: the steps that every job begins with."""

from collections.abc import Mapping

from autoencoders.errors import PipelineError
from autoencoders.settings import NoiseSettings, ResolvedSettings
from flows.catalogue import CORRUPTIONS
from flows.evaluation import Files
from flows.recipe import has_own_noise
from tasks.add_noise import add_noise
from tasks.draw_contact_sheet import draw_contact_sheet
from tasks.engine.handles import ArtifactRef
from tasks.engine.manifest import Artifact
from tasks.engine.runner import Steps
from tasks.ingest import ingest
from tasks.prepare import prepare

SPLITS = ("train", "test")
FIRST_IMAGES = 20
"""Images of each split on the contact sheet."""


def prepare_images(
    step: Steps, files: Files, data: Mapping[str, ArtifactRef], settings: ResolvedSettings
) -> None:
    """Check the user's files, make images of them, and give every image a noisy twin."""
    twins = has_noisy_twins(data, settings)
    import_images(step, files, data, settings, twins=twins)
    if not twins:
        corrupt_images(step, files, settings.noise, settings.seed)


def import_images(
    step: Steps, files: Files, data: Mapping[str, ArtifactRef], settings: ResolvedSettings, *,
    twins: bool,
) -> None:  # fmt: skip
    """Check the user's files, and make images of them."""
    tables = read_files(step, "ingest", data, settings)
    files["inspection.json"] = tables["inspection.json"]
    kept = {name: tables[f"{name}.parquet"] for name in table_names(twins=twins)}
    make_images(step, files, kept, twins=twins)


def table_names(*, twins: bool) -> list[str]:
    """Return which tables there are of images."""
    return [*SPLITS, *(f"{split}_noisy" for split in SPLITS if twins)]


def read_files(
    step: Steps, label: str, data: Mapping[str, ArtifactRef], settings: ResolvedSettings
) -> Artifact:
    """Check files, and write them as tables of train and test images."""
    return step(
        label, ingest, files=data, image=settings.image, reading=settings.reading,
        seed=settings.seed if "data" in data else 0,  # two sets need no splitting
    )  # fmt: skip


def make_images(step: Steps, files: Files, tables: Files, *, twins: bool) -> None:
    """Make images of tables, and of their noisy twins if they have such."""
    made = step(
        "contact sheet", draw_contact_sheet, images=FIRST_IMAGES,
        tables={split: tables[split] for split in SPLITS},
    )  # fmt: skip
    files["figures/contact_sheet.png"] = made["contact_sheet.png"]
    for split in SPLITS:
        made = step(f"prepare {split}", prepare, table=tables[split])
        files[f"images/{split}/clean"] = made["images.npy"]
        files[f"labels/{split}"] = made["labels.npy"]
        files[f"labels/{split}/classes"] = made["classes.json"]
    for split in SPLITS if twins else ():
        made = step(f"prepare noisy {split}", prepare, table=tables[f"{split}_noisy"])
        files[f"images/{split}/noisy"] = made["images.npy"]


def corrupt_images(
    step: Steps, files: Files, noise: NoiseSettings, seed: int, suffix: str = ""
) -> None:
    """Give every image a noisy twin; the names of the steps end with `suffix`."""
    for split in SPLITS:
        made = step(
            f"add noise {split}{suffix}", add_noise, images=files[f"images/{split}/clean"],
            split=split, seed=seed, noise=noise, corrupt=CORRUPTIONS[noise.kind],
        )  # fmt: skip
        files[f"images/{split}/noisy"] = made["images.npy"]


def has_noisy_twins(data: Mapping[str, ArtifactRef], settings: ResolvedSettings) -> bool:
    """Return whether the noise is the user's own.

    Raises:
        PipelineError: If fresh noise is asked for beside it.
    """
    twins = has_own_noise(data)
    if twins and settings.denoiser.fresh_noise:
        raise PipelineError(
            "`denoiser.fresh_noise` draws noise anew in every epoch, but noisy images are given.",
            "Leave it off (--denoiser.fresh_noise false --denoiser.noise_spread 0), or give clean "
            "images alone.",
        )
    return twins
