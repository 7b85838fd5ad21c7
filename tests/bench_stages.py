"""Memory and time of ingest and prepare, once and with four times the rows.

Each stage runs in a process of its own; the figure to look at is the ratio.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench_tools import HOME, Table

CHILD = """
import json, resource, sys, time
from pathlib import Path
from autoencoders.settings import ImageSettings
from tasks.ingest import find_files, ingest
from tasks.prepare import prepare
from tasks.store import Store
data, root, name = sys.argv[1:]
store, image = Store(Path(root)), ImageSettings()
inputs = {"files": find_files(Path(data)), "image": image}
begun = time.process_time()
if name == "ingest":
    ingest.compute(store, inputs)
else:
    table = store.find("ingest", ingest.parts(inputs).key)["train.parquet"]
    begun = time.process_time()
    prepare.compute(store, {"table": table, "image": image})
print(json.dumps({
    "cpu": time.process_time() - begun,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def quadrupled(data: Path, target: Path) -> Path:
    """Write the four files of `data` four times over; gzip members may follow one another."""
    target.mkdir()
    for path in data.iterdir():
        (target / path.name).write_bytes(path.read_bytes() * 4)
    return target


def measure(data: Path, root: Path, name: str) -> dict[str, float]:
    """Run one stage in a fresh process; return its CPU seconds and its peak memory in MiB."""
    arguments = [sys.executable, "-c", CHILD, data, root, name]
    done = subprocess.run(list(map(str, arguments)), cwd=HOME, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def stages(data: Path) -> Table:
    """Measure the stages that grow with the rows."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        larger = quadrupled(data, folder / "data")
        rows = []
        for stage in ("ingest", "prepare"):
            once = measure(data, folder / "once", stage)
            four = measure(larger, folder / "four", stage)
            row = [stage]
            for figure, digits in (("cpu", 2), ("peak", 0)):
                small, large = once[figure], four[figure]
                row += [f"{small:.{digits}f}", f"{large:.{digits}f}", f"{large / small:.2f}"]
            rows.append(row)
    return Table(
        "Stages, and four times the rows",
        "Each in a process of its own.",
        ["stage", "CPU s", "x 4", "ratio", "peak MiB", "x 4", "ratio"],
        rows,
    )
