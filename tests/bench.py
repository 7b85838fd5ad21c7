"""Every benchmark, one table after the other: `make bench`.

The data are the first folder that exists of the argument, ../shared/notmnist/full and data/sample.
"""

import sys
from pathlib import Path

from tests.bench_stages import stages
from tests.bench_tools import HOME
from tests.bench_warm import warm_run

BENCHMARKS = (stages, warm_run)


def main() -> None:
    """Measure and print."""
    candidates = [Path(argument) for argument in sys.argv[1:]]
    candidates += [HOME.parent / "shared" / "notmnist" / "full", HOME / "data" / "sample"]
    data = next(path for path in candidates if path.is_dir())
    for benchmark in BENCHMARKS:
        print(benchmark(data).markdown(), flush=True)


if __name__ == "__main__":
    main()
