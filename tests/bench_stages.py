"""Memory and time of ingest and prepare, once and with four times the rows (`make bench`).

The data are the first folder that exists of --data, ../shared/notmnist/full and data/sample. Each
stage runs in a process of its own; the figure to look at is the ratio, the machine may be busy.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
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


def main() -> None:
    """Print a table."""
    candidates = [Path(a) for a in sys.argv[1:]]
    candidates += [HOME.parent / "shared" / "notmnist" / "full", HOME / "data" / "sample"]
    data = next(path for path in candidates if path.is_dir())
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        larger = quadrupled(data, folder / "data")
        print(f"{data}, and four times its rows")
        print(f"{'stage':10}{'CPU s':>8}{'CPU s x4':>10}{'ratio':>7}"
              f"{'peak MiB':>10}{'x4':>8}{'ratio':>7}")  # fmt: skip
        for name in ("ingest", "prepare"):
            once = measure(data, folder / "once", name)
            four = measure(larger, folder / "four", name)
            print(
                f"{name:10}{once['cpu']:8.2f}{four['cpu']:10.2f}{four['cpu'] / once['cpu']:7.2f}"
                f"{once['peak']:10.0f}{four['peak']:8.0f}{four['peak'] / once['peak']:7.2f}"
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
