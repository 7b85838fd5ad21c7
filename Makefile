PYTHON ?= python3
KILLS ?= 100
MINUTES ?= 30
TWO := --numprocesses 2 --dist loadscope  # a module's tests stay together: they share what they set up
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MLFLOW := $(VENV)/.ready-mlflow

.DEFAULT_GOAL := help
.PHONY: help setup mlflow quick full server deploy check test test-long test-all bench bench-full soak day lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with the locked dependencies (the others do it by themselves)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) \
		else "Python 3.11 to 3.13 is needed, %s is %d.%d: make PYTHON=python3.12 ..." % (sys.executable, *v))'
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@  # a set-up that is stopped here starts anew; one that was whole is only updated
	@$(BIN)/python flows/ops/installing.py requirements.lock --disable-pip-version-check --require-hashes \
		-r requirements.lock -c requirements.lock  # as constraints too: else pip looks beyond them for extras
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

mlflow: $(MLFLOW)  ## add MLflow to .venv, for a registry of models

$(MLFLOW): $(READY) requirements-mlflow.lock
	@echo "Adding MLflow: this downloads 80 MB and takes a minute."
	@rm -f $@
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-mlflow.lock
	@touch $@

quick: $(READY)  ## run the main job on the sample, its networks better than those of `make full`: a minute and a half
	$(BIN)/python flows/full.py --preset fast --training.steps 250 --training.batch_size 32 \
		--evaluation.images 50 --evaluation.curve_images 5

full: $(READY)  ## run the main job on the sample as the course does, 50 epochs: some minutes
	$(BIN)/python flows/full.py

server: $(READY)  ## start Prefect's server, our deployments and a worker here, until Ctrl-C
	$(BIN)/python -m flows.ops.server --stop-with-parent

deploy: $(READY)  ## register work pool, automations and deployments with the server of PREFECT_API_URL
	$(BIN)/python -m flows.ops.server deploy

check: $(READY)  ## lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY)  ## the tests, less the long and the slow ones
	$(BIN)/python -m pytest -m "not long and not slow" $(TWO)

test-long: $(READY) $(MLFLOW)  ## the long tests, which CI runs too: deployments, a schedule, kills, a full disk
	$(BIN)/python -m pytest -m long $(TWO)

test-all: $(READY)  ## every test
	$(BIN)/python -m pytest

bench: $(READY)  ## measure time and memory, as ratios
	$(BIN)/python -m tests.bench

bench-full: $(READY)  ## measure the reference job whole, and bfloat16 against float32 (over an hour)
	$(BIN)/python -m tests.bench --full

soak: $(READY)  ## kill the pipeline KILLS times at random moments and compare the bytes (100)
	$(BIN)/python -m tests.system.soak $(KILLS)

day: $(READY)  ## let a schedule run for MINUTES (30) while server and worker are killed at random
	$(BIN)/python -m tests.system.day $(MINUTES)

LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock" --extra build pyproject.toml

lock:  ## renew the lock files from pyproject.toml: everything, and what a container needs (needs uv)
	$(LOCK) --upgrade --extra dev --extra export --output-file requirements.lock
	$(LOCK) --constraint requirements.lock --output-file requirements-runtime.lock
	$(LOCK) --constraint requirements.lock --extra mlflow --output-file requirements-mlflow.lock
