"""Measure a network: how close the images that it restores are to the clean ones."""

from tasks.engine.handles import ArtifactRef, Output, stage
from tasks.formats.keras_files import load_network
from tasks.measuring import Exam, Test, measure
from tasks.runtime import import_tensorflow


@stage
def measure_network(
    output: Output, test: Test, exam: Exam, network: ArtifactRef, threads: int
) -> None:
    """Write what `measure` says, of the outputs of a network.

    Args:
        output: Where it goes.
        test: Test images, float32 (n, h, w, c) each: `clean`, and `given`, as the method gets them.
        exam: How the method is measured.
        network: A trained network, `.keras`.
        threads: Threads per operation of TensorFlow.
    """
    import_tensorflow(threads, output.log)
    from autoencoders.models.fused import predictor

    measure(output, test, exam, predictor(load_network(network.path)), {})
