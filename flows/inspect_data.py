"""`autoencoders inspect`: what would be recognised in data, without computing anything of it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoencoders.settings import Settings
from flows.images import FIRST_IMAGES, SPLITS
from flows.inspection import inspection_table, read_inspection
from flows.tables import print_json, print_rows
from flows.terminal import picture_columns, print_picture
from flows.user_data import unused_warning
from tasks.draw_contact_sheet import draw_contact_sheet
from tasks.engine.manifest import Artifact
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.ingest import ingest
from tasks.unused_files import unused_files


def inspect_data(data: Path, settings: Settings, *, sheet: Path | None, as_json: bool) -> None:
    """Print what is recognised in `data`: form, images, shape, range, labels, decisions, warnings.

    The stage that the main job runs looks at it, in a store of its own that is then removed.

    Args:
        data: File or folder of images.
        settings: Their `image` and `reading` count.
        sheet: Where the first images go as a picture; None for nowhere but the terminal.
        as_json: Print JSON for programs.

    Raises:
        PipelineError: If the main job would refuse the data.
    """
    paths = find_files(data)
    files = input_refs(paths)
    inputs = {
        "files": files,
        "image": settings.image,
        "reading": settings.reading,
        "seed": settings.seed,
    }
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        tables = stage_of(ingest).compute(store, inputs)
        found = read_inspection(tables["inspection.json"])
        _draw(store, tables, sheet, 0 if as_json else picture_columns())
    if as_json:
        unused = unused_files(data, paths.values())
        print_json(
            {"files": {role: str(path) for role, path in paths.items()}, "unused": unused, **found}
        )
    else:
        _print(data, paths, found)


def _draw(store: Store, tables: Artifact, sheet: Path | None, columns: int) -> None:
    """Show the first images, in a picture and in the terminal."""
    if sheet is None and not columns:
        return
    splits = {split: tables[f"{split}.parquet"] for split in SPLITS}
    inputs = {"tables": splits, "images": FIRST_IMAGES, "columns": columns}
    drawn = stage_of(draw_contact_sheet).compute(store, inputs)
    if sheet is not None:
        store.export(drawn["contact_sheet.png"], sheet)
    if columns:
        print_picture(drawn["contact_sheet.txt"].path.read_text(encoding="utf-8"))


def _print(data: Path, paths: dict[str, Path], found: Mapping[str, Any]) -> None:
    print(f"{data}: {', '.join(f'{role} is {path.name}' for role, path in paths.items())}\n")
    print_rows(inspection_table(found))
    if warning := unused_warning(data, paths):
        print(f"\nwarning (unused): {warning}")
    for warning in found["warnings"]:
        print(f"\nwarning ({warning['code']}): {warning['text']}")
