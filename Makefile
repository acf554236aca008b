# `make help` lists the targets, with one sentence each.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TIMES ?= 10
SEED ?=
FAULT_TESTS = $(BIN)/pytest -q tests/faults $(if $(SEED),--seed $(SEED))
UNIT_TESTS = -m "not real and not journey"
# These tests mostly wait for servers, so three processes fit on two cores.
REAL_TESTS = -m "(real or journey) and not fault" -n 3 --dist worksteal
# Scenarios with three brokers and three workers use two cores and measure time, so they run alone.
CLUSTER_FAULTS = -m "fault and cluster"
OTHER_FAULTS = -m "fault and not cluster" -n 3 --dist worksteal
NO_PYTHON = modstream needs Python 3.11 to 3.14, and $(PYTHON) is not one of them; choose one with PYTHON=python3.12
NO_VENV = the virtual environment could not be created: install Python's venv module (Debian: python3-venv)
NO_PACKAGES = the packages could not be installed: make sure that this machine can reach the package registry, and run the command again

.PHONY: help demo demo-full up test faults bench check format unit lint clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## Replay real flights through the whole system in under 4 minutes, and write a report.
	@$(BIN)/modstream demo

demo-full: $(READY) ## Run the demo with all flights from April to December 2013, about 250,000.
	@$(BIN)/modstream demo --full

up: $(READY) ## Run the whole system until Ctrl-C, for your own requests.
	@$(BIN)/modstream up

test: $(READY) lint ## Run all checks: lint, all tests with coverage, and every fault test once.
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -n 2 $(UNIT_TESTS)
	$(BIN)/coverage run -m pytest -q $(REAL_TESTS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report
	$(FAULT_TESTS) $(OTHER_FAULTS)
	$(FAULT_TESTS) $(CLUSTER_FAULTS)

faults: $(READY) ## Run the fault tests with ten times the faults; TIMES=3 changes the factor, SEED=1 the seed.
	$(FAULT_TESTS) --times $(TIMES) $(OTHER_FAULTS)
	$(FAULT_TESTS) --times $(TIMES) $(CLUSTER_FAULTS)

bench: $(READY) ## Measure throughput, latency and cost against a pass-through and peers; QUICK=1 for less.
	$(BIN)/python -m bench $(if $(QUICK),--quick,--peers all)

check: $(READY) lint unit ## Run the quick checks: format, lint, types, import rules and unit tests.

lint: $(READY)
	$(BIN)/ruff format --check -q
	$(BIN)/ruff check -q
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(READY)
	$(BIN)/pytest -q -n 2 $(UNIT_TESTS)

format: $(READY) ## Format the code and fix lint errors where possible.
	$(BIN)/ruff format -q
	$(BIN)/ruff check -q --fix

clean: ## Remove the virtual environments, caches and data of embedded servers.
	rm -rf $(VENV) .modstream .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	rm -rf bench/peers/*/.venv bench/peers/*/build

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	  || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "$(NO_VENV)" >&2; exit 1; }
	@echo "installing into $(VENV) ..." >&2
	@$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.13,<0.14" \
	  && $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -e . --group dev \
	  || { echo "$(NO_PACKAGES)" >&2; exit 1; }
	@touch $@
