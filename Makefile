# One target, one sentence: `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TIMES ?= 10
SEED ?=
FAULTS = $(BIN)/pytest -q tests/faults $(if $(SEED),--seed $(SEED))
UNIT = -m "not real and not journey"
# Most of them wait for others; by themselves they would not fill two cores.
REAL = -m "(real or journey) and not fault" -n 3 --dist worksteal
# Three brokers and three workers fill two cores, and their scenarios measure time.
ALONE = -m "fault and cluster"
BESIDE = -m "fault and not cluster" -n 3 --dist worksteal
TOO_OLD = modstream needs Python 3.11 to 3.14, and $(PYTHON) is none: name one with PYTHON=python3.12
NO_VENV = the virtual environment could not be made: install Python's venv module (Debian: python3-venv)
NO_PACKAGES = the packages could not be installed: reach the package registry, then run the command again

.PHONY: help demo demo-full up test faults bench check format unit lint clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## Replay real flights through the whole system, under 4 minutes, and report.
	@$(BIN)/modstream demo

demo-full: $(READY) ## The same for April to December 2013, about 250,000 flights.
	@$(BIN)/modstream demo --full

up: $(READY) ## Run the whole system until Ctrl-C, for your own requests.
	@$(BIN)/modstream up

test: $(READY) lint ## Everything: lint, the suite on real servers with coverage, every fault once.
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -n 2 $(UNIT)
	$(BIN)/coverage run -m pytest -q $(REAL)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report
	$(FAULTS) $(BESIDE)
	$(FAULTS) $(ALONE)

faults: $(READY) ## Every fault ten times as often as in the test; TIMES=3 for less, SEED=1 to repeat.
	$(FAULTS) --times $(TIMES) $(BESIDE)
	$(FAULTS) --times $(TIMES) $(ALONE)

bench: $(READY) ## Throughput, latency and cost beside the raw pass-through and peers; QUICK=1 for less.
	$(BIN)/python -m bench $(if $(QUICK),--quick,--peers all)

check: $(READY) lint unit ## The quick part: format, lint, types, import rules, unit tests.

lint: $(READY)
	$(BIN)/ruff format --check -q
	$(BIN)/ruff check -q
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(READY)
	$(BIN)/pytest -q -n 2 $(UNIT)

format: $(READY) ## Format the code and mend what can be mended by itself.
	$(BIN)/ruff format -q
	$(BIN)/ruff check -q --fix

clean: ## Remove the virtual environments, caches and all data of embedded servers.
	rm -rf $(VENV) .modstream .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	rm -rf bench/peers/*/.venv bench/peers/*/build

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	  || { echo "$(TOO_OLD)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "$(NO_VENV)" >&2; exit 1; }
	@echo "installing into $(VENV) ..." >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.13,<0.14" \
	  && $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -e . --group dev \
	  || { echo "$(NO_PACKAGES)" >&2; exit 1; }
	@touch $@
