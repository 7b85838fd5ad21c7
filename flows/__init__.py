"""Which stage follows which."""

from tasks.engine.sources import track

# Before any of it is imported, so that the cache keys speak of exactly the code that runs
track("tasks", "autoencoders")

from tasks.engine.key import watch_environment

# What NumPy and Arrow compute with; docs/environment.md lists all variables
watch_environment(
    "ARROW_USER_SIMD_LEVEL",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
)
