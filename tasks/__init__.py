"""One module a stage: read artifacts, call `autoencoders`, publish artifacts."""
