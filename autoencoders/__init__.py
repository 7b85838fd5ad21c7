"""The pure array code: arrays in, arrays out. No Prefect, no disk, no clock, no environment."""
