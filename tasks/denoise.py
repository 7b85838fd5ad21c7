"""Denoise: files of noisy images become files of the same form, in memory that does not grow."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.images.ranges import Range
from autoencoders.images.shifts import over_shifts
from autoencoders.images.survey import Survey, Traits
from autoencoders.images.tiles import restore_any_size
from autoencoders.images.unit_range import from_unit_range, to_unit_range
from tasks.engine.handles import Report
from tasks.formats.drafts import replacing
from tasks.formats.errors import DataError
from tasks.formats.image_file import ImageFile, Opened
from tasks.formats.keras_files import load_network
from tasks.formats.picture_files import BrokenPictureError
from tasks.formats.picture_rewriting import StoredPicture, read_picture
from tasks.formats.rewriting import open_rewritable
from tasks.formats.understanding import rows_at_a_time, understand
from tasks.runtime import import_tensorflow

if TYPE_CHECKING:
    from autoencoders.settings import InputSettings

Images = NDArray[np.float32]
Restore = Callable[[Images], Images]
"""A function from float32 (n, h, w, c) in [0, 1], of any sizes, to the same shape."""

KEPT = 100
"""Images of a file that are kept to compare, spread evenly over it."""
LARGEST_KEPT = 256
"""Pixels per side of what is kept of them: their middle."""
LEVELS = 1000
"""Shades that are told apart at least in values that are not whole."""
PAUSE = 2.0
"""Seconds between two lines of progress, at least."""
PICTURES = 1 << 20
"""Pixels of pictures that are restored together, or one picture."""


@dataclass
class Seen:
    """Some images, before and after: for a sheet, and for an estimate of their noise."""

    count: int = 0
    """How many images there were."""
    before: list[Images] = field(default_factory=list)
    """(h, w, c) each."""
    after: list[Images] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was recognised, and what was left out."""

    def add(self, before: Images, after: Images, total: int) -> None:
        """Count some images, (n, h, w, c), and keep every so many of `total`."""
        stride = max(1, total // KEPT)
        for at in range(-self.count % stride, len(before), stride):
            self.before.append(_middle(before[at]))
            self.after.append(_middle(after[at]))
        self.count += len(before)


def load_denoiser(network: Path, threads: int, reach: int, log: Callable[[str], None]) -> Restore:
    """Load a network that restores images of any size.

    Args:
        network: A `.keras` file.
        threads: Threads per operation.
        reach: Over how many pixels of shift in each direction the results are averaged.
        log: Receives a line if environment variables were ignored.

    Raises:
        PipelineError: If it is no network, or none from images to images.
    """
    import_tensorflow(threads, log)
    from autoencoders.models.fused import predictor

    loaded = load_network(network)
    shape = tuple(loaded.input_shape[1:])
    if len(shape) != 3 or None in shape or tuple(loaded.output_shape[1:]) != shape:
        raise PipelineError(
            f"{network}: takes {loaded.input_shape} and returns {loaded.output_shape}; expected a "
            "network from images (n, height, width, channels) to images of the same shape.",
            "Give a denoiser that this pipeline has trained.",
        )
    restore = over_shifts(predictor(loaded), reach)
    return lambda images: restore_any_size(images, restore, shape)


def denoise_table(
    source: Path, target: Path, restore: Restore, settings: "InputSettings", report: Report
) -> Seen:
    """Denoise a file of many images.

    Args:
        source: CSV, array, archive of arrays, IDX or Parquet; it is read twice.
        target: Gets the same form, values, labels and names; what was there is replaced at once
            when all is written.
        restore: What denoises images.
        settings: What is set of the form of the file, and of its images.
        report: Receives the progress.

    Raises:
        DataError: If it is no such file, or a value is wrong.
    """
    image, reading = settings.image, settings.reading
    file = open_rewritable(source, reading, image)
    opened = [Opened(source, images) for images in file.sets.values()]
    surveys = [_survey(images) for images in file.sets.values()]
    try:
        meaning, values, _, decisions = understand(opened, surveys, image, reading)
    except DataError as error:
        raise _in_noise(error) from error
    seen = Seen(notes=[one.what for one in decisions])
    total = sum(one.count for one in surveys)
    progress = _Progress(source.name, total, report)

    def restored(images: ImageFile) -> Iterator[NDArray[np.float64]]:
        for part in images.parts(rows_at_a_time(images)):
            before = to_unit_range(part.pixels, meaning)  # (n, h, w, c)
            after = restore(before)
            seen.add(before, after, total)
            progress.add(len(before))
            yield from_unit_range(after, meaning, whole=values.whole)

    parts = {name: restored(images) for name, images in file.sets.items()}
    with replacing(target) as draft:
        file.write(parts, _step(meaning.range, values), draft)
    return seen


def denoise_pictures(sources: Mapping[Path, Path], restore: Restore, report: Report) -> Seen:
    """Denoise pictures, each a file of its own; those of one size are restored together.

    Args:
        sources: For each picture, the file that it becomes, of the same format, mode and size.
        restore: What denoises images.
        report: Receives the progress.

    Raises:
        DataError: If none can be read, or one can be read but not written back as it was.
    """
    seen, broken = Seen(), []
    progress = _Progress("pictures", len(sources), report)
    waiting: list[StoredPicture] = []
    for source in sources:
        try:
            picture = read_picture(source)
        except BrokenPictureError as error:
            broken.append(f"{source}: cannot be read, and is left out ({error}).")
            continue
        if waiting and not _fits(waiting, picture):
            _write_pictures(waiting, sources, restore, seen, progress)
            waiting = []
        waiting.append(picture)
    if waiting:
        _write_pictures(waiting, sources, restore, seen, progress)
    if not seen.count:
        raise DataError(broken[0], "Copy or download it again.")
    seen.notes += broken
    return seen


def _fits(waiting: list[StoredPicture], picture: StoredPicture) -> bool:
    size, mode = waiting[0].image.size, waiting[0].image.mode
    pixels = size[0] * size[1] * (len(waiting) + 1)
    return picture.image.size == size and picture.image.mode == mode and pixels <= PICTURES


def _write_pictures(
    pictures: list[StoredPicture],
    targets: Mapping[Path, Path],
    restore: Restore,
    seen: Seen,
    progress: "_Progress",
) -> None:
    """Restore pictures of one size and mode, and write them."""
    colours = [picture.pixels for picture in pictures]
    for channels in {one.shape[2] for one in colours}:  # a palette may be grey or not
        some = [at for at, one in enumerate(colours) if one.shape[2] == channels]
        before = np.stack([colours[at] for at in some])
        after = restore(before)
        seen.add(before, after, len(targets))
        for at, pixels in zip(some, after, strict=True):
            with replacing(targets[pictures[at].path]) as draft:
                pictures[at].write(pixels, draft)
        progress.add(len(some))


def _step(used: Range, values: Traits) -> float:
    """Return the difference of values that must not be lost when they are written."""
    return 1 if values.whole else min(0.1, abs(used.white - used.black) / LEVELS)


def _survey(images: ImageFile) -> Survey:
    survey = Survey()
    for part in images.parts(rows_at_a_time(images)):
        survey.add(part.pixels)
    return survey


def _in_noise(error: DataError) -> DataError:
    """Say of values without a usual range what noise does: it goes beyond black and white."""
    if "--image.black" not in error.advice:
        return error
    return DataError(
        error.problem,
        "Noise goes beyond black and white unless it is clipped. Say which values these are and "
        "clip what is beyond, such as --image.black 0 --image.white 1 --reading.accept outside.",
    )


def _middle(image: Images) -> Images:
    height, width, _ = image.shape
    top, left = max(0, height - LARGEST_KEPT) // 2, max(0, width - LARGEST_KEPT) // 2
    return image[top : top + LARGEST_KEPT, left : left + LARGEST_KEPT].copy()


class _Progress:
    """Tells how far a file is, not more often than people can read."""

    def __init__(self, name: str, total: int, report: Report) -> None:
        self._name, self._total, self._report = name, total, report
        self._done, self._started = 0, time.monotonic()
        self._said = self._started

    def add(self, count: int) -> None:
        """Count some images that are done."""
        self._done += count
        now = time.monotonic()
        if now - self._said < PAUSE and self._done < self._total:
            return
        self._said = now
        share = self._done / self._total
        left = (now - self._started) * (1 - share) / share
        self._report(
            f"{self._name}: {self._done:,} of {self._total:,} images denoised, {left:,.0f} s left",
            share,
        )
