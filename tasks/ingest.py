"""Ingest: files of images in any form become checked Parquet tables of bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.images.findings import Contents, find_faint_splits, find_oddities
from autoencoders.images.labels import LabelKinds, is_whole
from autoencoders.images.meaning import Decision, Meaning
from autoencoders.images.survey import Survey
from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.errors import DataError
from tasks.formats.image_file import Opened
from tasks.formats.image_set import ImageSet
from tasks.formats.inspection import inspection
from tasks.formats.opening import open_sets
from tasks.formats.split_tables import SplitTables
from tasks.formats.understanding import (
    check_twins,
    rows_at_a_time,
    shape_of,
    understand,
)

if TYPE_CHECKING:
    from autoencoders.settings import ImageSettings, ReadingSettings


@stage
def ingest(
    output: Output,
    files: Mapping[str, ArtifactRef],
    image: "ImageSettings",
    reading: "ReadingSettings",
    seed: int,
) -> None:
    """Write `train.parquet` and `test.parquet`, in the form of `image_table`, their noisy twins
    where the user has some, and `inspection.json`, which says what was recognised and why.

    Every value is checked, and what the values mean is decided over all files together. They are
    read as a stream, in memory that does not depend on their length: once if they hold bytes, a
    second time if bytes must be made of them. It is one stage for all files, since an error in the
    last one must publish nothing; it writes a table per split, so that a changed test file does
    not retrain. Equal images and labels make equal tables, in whatever form they arrive.

    Args:
        output: Where it goes.
        files: By role, as `find_files` calls them.
        image: What is set of shape and range.
        reading: What is set of the form of the files.
        seed: Decides the side of an image where there is one set; of no effect otherwise.
    """
    sets = open_sets({role: ref.path for role, ref in files.items()}, reading, image)
    output.require_space(2 * sum(ref.size for ref in files.values()))
    job = _Ingest(output.folder, sets, image, reading, seed)
    report = job.run()
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (output.folder / "inspection.json").write_text(f"{text}\n", encoding="utf-8")
    for name, one in sets.items():
        labels = "each with a label" if one.labelled else "without labels"
        count = report["read"][name]
        output.log(f"{one.path.name}: {count:,} images ({one.images.form}), {labels}.")
    for warning in report["warnings"]:
        output.log(f"Warning: {warning['text']}")


class _Ingest:
    """One run of the stage: looks, decides, writes."""

    def __init__(
        self,
        folder: Path,
        sets: Mapping[str, ImageSet],
        image: "ImageSettings",
        reading: "ReadingSettings",
        seed: int,
    ) -> None:
        self.folder, self.sets = folder, sets
        self.image, self.reading, self.seed = image, reading, seed
        self.kinds = LabelKinds()
        self.surveys = {name: Survey() for name in sets}
        self.noisy = Survey()
        self.rounding = 0.0
        self.opened = _every_file(sets)
        self.rows = rows_at_a_time(self.opened[0].images)
        self.shape, _ = shape_of(self.opened, image)

    def run(self) -> dict[str, Any]:
        """Write the tables; return what was found."""
        with self._tables() as tables:
            complete = self._look(tables)
            meaning, decisions = self._decide()
            if complete and meaning.identity and self.kinds.whole:
                contents = self._finish(tables, None)
        if not (complete and meaning.identity and self.kinds.whole):
            classes = self.kinds.names()
            with self._tables() as tables:
                for name, one in self.sets.items():
                    self._convert(tables, name, one, meaning)
                contents = self._finish(tables, classes)
        return self._report(meaning, contents, decisions)

    def _tables(self) -> SplitTables:
        return SplitTables(
            self.folder, int(np.prod(self.shape)),
            {name: one.labelled for name, one in self.sets.items()},
            noisy=any(one.noisy for one in self.sets.values()),
            seed=self.seed, test_fraction=self.reading.test_fraction,
        )  # fmt: skip

    def _look(self, tables: SplitTables) -> bool:
        """Look at every value, and write it at once; return whether all of them were bytes."""
        complete = True
        for name, one in self.sets.items():
            for pixels, labels, noisy in one.rows(self.rows):
                self.surveys[name].add(pixels)
                if noisy is not None:
                    self.noisy.add(noisy)
                if labels is not None:
                    self._look_at(labels, one)
                parts = [part for part in (pixels, noisy) if part is not None]
                complete = complete and all(part.dtype == np.uint8 for part in parts)
                if complete and (labels is None or is_whole(labels)):
                    tables.write(name, pixels, None if labels is None else _u32(labels), noisy)
        return complete

    def _look_at(self, labels: NDArray[Any], one: ImageSet) -> None:
        try:
            self.kinds.add(labels)
        except ValueError as error:
            path = one.labels_path or one.path
            raise DataError(
                f"{path}: {error}, which are words. Expected the name of a class for each image.",
                "Correct them, or use no labels: --reading.label none.",
            ) from error

    def _decide(self) -> tuple[Meaning, list[Decision]]:
        clean = [Opened(one.path, one.images) for one in self.sets.values()]
        meaning, self.values, self.sample, decisions = understand(
            clean, list(self.surveys.values()), self.image, self.reading
        )
        smallest = self.values.smallest
        if self.noisy.count:
            twins = [one for one in self.opened if one not in clean]
            check_twins(twins, self.noisy, meaning, self.image)
        if smallest == self.values.largest and "alike" not in self.reading.accept:
            raise self._all_alike(f"every value is {smallest:g}")
        return meaning, decisions

    def _all_alike(self, what: str) -> DataError:
        names = " and ".join(str(one.path) for one in self.sets.values())
        return DataError(
            f"{names}: {what}, so all images are identical and there is nothing to learn.",
            "Use the images from before that happened: values below 1 that are truncated to "
            "integers all become 0 (multiply them by 255 first, or give them as they are). If it "
            "is intended, use --reading.accept alike.",
        )

    def _convert(self, tables: SplitTables, name: str, one: ImageSet, meaning: Meaning) -> None:
        """Read a set a second time, and write the images that its values mean."""
        for pixels, labels, noisy in one.rows(self.rows):
            images, error = meaning.images(pixels)
            twins = None if noisy is None else meaning.images(noisy)[0]
            self.rounding = max(self.rounding, error)
            numbers = None if labels is None else self.kinds.numbers(labels)
            tables.write(name, images, numbers, twins)

    def _finish(self, tables: SplitTables, classes: list[str] | None) -> dict[str, Contents]:
        contents = tables.contents()
        train, test = contents["train"].prints, contents["test"].prints
        if not (len(train) and len(test)):
            path, empty = self.sets["data"].path, "test" if len(train) else "train"
            raise DataError(
                f"{path}: none of its {len(train) + len(test):,} images became a {empty} image.",
                "Give more images, or another share of test images, e.g. "
                f"--reading.test_fraction {0.5 if self.reading.test_fraction != 0.5 else 0.4}.",
            )
        if len(train) > 1 and len(np.unique(train)) == 1 and "alike" not in self.reading.accept:
            raise self._all_alike("all train images are the same")
        tables.finish(self.shape, classes)
        return contents

    def _report(
        self, meaning: Meaning, contents: Mapping[str, Contents], decisions: list[Decision]
    ) -> dict[str, Any]:
        classes = self.kinds.names()
        found = find_oddities(contents, meaning, self.values, self.sample, self.rounding, classes)
        largest = {name: survey.largest for name, survey in self.surveys.items()}
        found += find_faint_splits(meaning, largest)
        return inspection(
            self.sets, contents, meaning, self.values, self.rounding, classes, decisions, found
        )


def _every_file(sets: Mapping[str, ImageSet]) -> list[Opened]:
    """Return the files of images and of their noisy twins."""
    every = [
        (path, images)
        for one in sets.values()
        for path, images in ((one.path, one.images), (one.noisy_path, one.noisy))
    ]
    return [Opened(path, images) for path, images in every if path is not None and images]


def _u32(labels: NDArray[Any]) -> NDArray[np.uint32]:
    return labels.astype(np.uint32, copy=False)
