"""A pipeline of two stages that uses the engine alone."""

from pathlib import Path

from prefect import flow

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.engine.runs import Run
from tasks.engine.store import Store


@stage
def double(output: Output, number: ArtifactRef) -> None:
    """Write `number.txt`: twice the number."""
    (output.folder / "number.txt").write_text(str(2 * int(number.path.read_text())))


@stage
def add(output: Output, number: ArtifactRef, amount: int) -> None:
    """Write `number.txt`: the number and the amount together."""
    (output.folder / "number.txt").write_text(str(int(number.path.read_text()) + amount))


def pipeline(step, data, amount):
    """Say which stage follows which."""
    doubled = step("double", double, number=data["number"])
    added = step("add", add, number=doubled["number.txt"], amount=amount)
    return {"number.txt": added["number.txt"]}


@flow
def toy(number: Path, artifacts: Path, amount: int = 1) -> str:
    """Double a number and add an amount; return the folder of the run."""
    with Run(Store(artifacts), {"amount": amount}, {"number": number}) as run:
        return str(run.publish(pipeline(run.step, run.data, amount)).folder)
