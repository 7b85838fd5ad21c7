"""Classical ways to get an image back, for networks to be measured against.

Each module has two functions. `fit` takes batches of (given, clean) train images, the noise factor
and a generator, and returns the arrays that it has learned. `restore` takes given images and these
arrays, and returns the restored images, float32 of the same shape in [0, 1].
"""
