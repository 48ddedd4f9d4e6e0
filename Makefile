# Every target sets up all that it needs: `make repro` on a machine with Python 3.11, git and make is enough.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
EXPERIMENT ?=
PORT ?= 5000
BIN := .venv/bin
# Named by the lock's content: .venv is built once, and again when requirements.lock changes.
READY := .venv/.installed-$(shell git hash-object requirements.lock | cut -c1-12)
# Only the slow tests see it: inside .venv's own packages, every benchmark would try to run it.
RTX := .venv/tensorrt_rtx
RTX_VERSION := 1.7.1.116
RTX_READY := $(RTX)/.installed-$(RTX_VERSION)

# Nothing phones home; MPLBACKEND: no display is needed.
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export MPLBACKEND := Agg

.DEFAULT_GOAL := help
.PHONY: help install repro compose test test-slow check format ui lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "make %-11s %s\n", $$1, $$2}'

install: $(READY) ## .venv with exactly what requirements.lock pins

repro: $(READY) ## the whole pipeline; EXPERIMENT=bccd chooses another recipe of conf/experiment
	@$(BIN)/python -m pipelines.repro $(if $(EXPERIMENT),experiment=$(EXPERIMENT))

compose: $(READY) ## conf/ into params.yaml
	@$(BIN)/python -m pipelines.compose $(if $(EXPERIMENT),experiment=$(EXPERIMENT))

test: $(READY) ## the tests, all but the slow ones
	@$(BIN)/python -m pytest -m "not slow"

test-slow: $(READY) $(RTX_READY) ## chains of processes, engines, servers, browsers
	@PYTHONPATH="$(CURDIR)/$(RTX)$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/python -m pytest -m slow

check: $(READY) ## ruff format, ruff, mypy --strict, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## let ruff format and mend what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

ui: $(READY) ## MLflow on http://127.0.0.1:5000 (PORT=...)
	@$(BIN)/python -m pipelines.ui --port $(PORT)

lock: $(READY) ## requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade \
		--custom-compile-command "make lock" --extra dev pyproject.toml -o requirements.lock

clean: ## remove .venv (results and caches stay)
	rm -rf .venv

# uv installs in seconds; where it cannot (it does not read pip's configuration), pip does the same slowly.
$(READY):
	@test -n "$(PYTHON)" || { echo "make: python3 is missing: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "make: Python 3.11 or newer is needed, found " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || { echo "make: creating .venv"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip > /dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || echo "make: no uv, so pip installs (slower)"
	@echo "make: installing requirements.lock"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pipelines.machine > /dev/null # plain dvc repro wants machine.json too
	@rm -f .venv/.installed-* && touch $@

# Where it cannot be had (no network, another platform), its tests say so and are skipped.
$(RTX_READY): | $(READY)
	@echo "make: fetching TensorRT-RTX for its tests (91 MB)"
	@rm -rf $(RTX)
	@{ $(BIN)/uv pip install --quiet --python $(BIN)/python --target $(RTX) tensorrt-rtx-cu13==$(RTX_VERSION) && touch $@; } || \
		{ rm -rf $(RTX); echo "make: no TensorRT-RTX here: its tests are skipped"; }
