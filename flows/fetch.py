"""Download the published notMNIST data set, into a folder that `--data` takes.

Run it with `python flows/fetch.py --output DIR`; what was interrupted goes on where it stopped.
"""

if not __package__:  # run as a script
    import checkout  # noqa: F401

from pathlib import Path
from typing import Any

from cyclopts import App
from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.advice import REFUSALS
from flows.by_hand import job
from flows.options import Folder, run_command
from flows.user_folder import user_folder
from tasks.download import InterruptedDownloadError, Report, download, sha256_of
from tasks.engine.handles import write_atomically
from tasks.engine.logs import run_logger
from tasks.engine.refusals import telling, telling_once
from tasks.notmnist import FILES, SUMS, URL, recorded_sums

DELAYS = [1.0, 2.0, 5.0, 15.0, 30.0]
"""Seconds before each further try of a download that broke off."""
STEP = 0.1
"""Share of a file after which its progress is logged again."""


def _broke_off(task: Any, run: Any, state: Any) -> bool:
    """Return whether a failed download may work another time."""
    return isinstance(state.result(raise_on_failure=False), InterruptedDownloadError)


@task(
    name="download", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False,
    retries=len(DELAYS), retry_delay_seconds=DELAYS, retry_condition_fn=_broke_off,
)  # fmt: skip
def download_file(name: str, url: str, output: Path, sha256: str | None) -> None:
    """Download one file, or go on with it, and verify it."""
    with telling_once(retried=True), user_folder(output):
        download(f"{url.rstrip('/')}/{name}", output / name, sha256, FILES[name], _logged(name))


@job(name="fetch")
def fetch(output: Path, url: str = URL) -> None:
    """Download the four files of notMNIST, verify them, and record the sha256 of each.

    Args:
        output: Folder that gets them, which `--data` takes then; what is there already and right
            is not downloaded again.
        url: Folder on a server that has them.
    """
    with telling(REFUSALS):
        with user_folder(output):
            output.mkdir(parents=True, exist_ok=True)
            sums = recorded_sums(output)
        for name in FILES:
            download_file(name, url, output, sums.get(name))
        found = {**sums, **{name: sha256_of(output / name) for name in FILES}}
        text = "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items()))
        write_atomically(output / SUMS, text.encode())


def _logged(name: str) -> Report:
    """Return what logs how much of a file has arrived, about ten times."""
    logger, shown = run_logger(), -1

    def report(done: int, total: int | None) -> None:
        nonlocal shown
        step = int(done / total / STEP) if total else done >> 24
        if step != shown:
            shown = step
            share = f" of {total / 1e6:,.1f} MB ({done / total:.0%})" if total else " MB"
            logger.info("%s: %.1f%s", name, done / 1e6, share)

    return report


app = App(name="fetch", help=__doc__)


@app.default
def main(*, output: Folder, url: str = URL) -> None:
    """Download the published notMNIST data set.

    Args:
        output: Folder that gets the files.
        url: Folder on a server that has them; the default is where they are published.
    """
    fetch(output, url)
    print(f"notMNIST is in {output.absolute()}: python flows/full.py --data {output}")


if __name__ == "__main__":
    run_command(app)
