"""Measure given images as they are: how close what methods get is to the clean images."""

from tasks.engine.handles import Output, stage
from tasks.measuring import Exam, Test, measure
from tasks.runtime import import_tensorflow


@stage
def measure_given(output: Output, test: Test, exam: Exam, threads: int) -> None:
    """Write what `measure` says, of images with which nothing is done.

    Args:
        output: Where it goes.
        test: Test images, float32 (n, h, w, c) each: `clean`, and `given`, as the method gets them.
        exam: How the method is measured.
        threads: Threads per operation of TensorFlow.
    """
    import_tensorflow(threads, output.log)
    measure(output, test, exam, lambda images: images, {})
