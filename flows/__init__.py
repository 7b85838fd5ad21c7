"""Which stage follows which."""

from tasks.engine.sources import track

# Before any of it is imported, so that the cache keys speak of exactly the code that runs
track("tasks", "autoencoders")
