"""Classical ways to get an image back, for networks to be measured against.

Each module has two functions. `fit` takes batches of (given, clean) train images, the standard
deviation of the noise if it is Gaussian (0 without any, None for any other noise) and a generator.
It returns the arrays that it has learned, or raises `UnsuitableError` for images or noise that the
method is not made for; then a run does without it, and says why. `restore` takes given images and
these arrays, and returns the restored images, float32 of the same shape in [0, 1].
"""
