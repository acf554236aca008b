# `make help` lists the targets, with one sentence each.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TIMES ?= 10
SEED ?=
RECORDS ?= 200000
FAULT_TESTS = $(BIN)/pytest -q tests/faults $(if $(SEED),--seed $(SEED))
# `--kind` collects only the files that have such tests; each process imports all that it collects.
UNIT = not real and not journey and not boosting and not thorough and not browser and not tools \
  and not containers
UNIT_TESTS = -n 2 --kind unit -m "$(UNIT)"
QUICK_TESTS = -n 3 --kind unit --hypothesis-profile quick -m "$(UNIT) and not zoo and not long and not slow"
# These tests mostly wait for servers, so four processes fit on two cores. Those of a file run in one
# process, so that the system that they share is started only once.
REAL_TESTS = --kind real -m "(real or journey) and not languages and not cluster and not tools $(BRIEFLY)" \
  -n 4 --dist loadfile --no-loadscope-reorder
# Scenarios with three brokers and three workers use two cores and measure time, so they run alone.
CLUSTER_FAULTS = -m "fault and cluster $(BRIEFLY)"
OTHER_FAULTS = -m "fault and not cluster $(BRIEFLY)" -n 3 --dist worksteal
# Modules are compiled once, and not in each of the many processes that tests start.
unexport PYTHONDONTWRITEBYTECODE
# The collector of OpenTelemetry, with the components that tests need
COLLECTOR = $(BIN)/otlp-collector
STUBS = modstream/producers/gateway/protocol/stubs
# A later generator writes stubs that protobuf 6 refuses: see the README of that folder.
STUB_TOOLS = --with grpcio-tools==1.81.1 --with mypy-protobuf==5.1.0 --with "setuptools<81"
NO_PYTHON = modstream needs Python 3.11 to 3.14, and $(PYTHON) is not one of them; choose one with PYTHON=python3.12
NO_VENV = the virtual environment could not be created: install Python's venv module (Debian: python3-venv)
NO_PROMETHEUS = promtool and prometheus are not installed: they are in Debian's package prometheus, and in the archives of prometheus.io/download
NO_GO = Go is missing, which builds the OpenTelemetry Collector: install it (go.dev/dl) and run the command again
NO_CHROMIUM = Chromium is missing: install it (Debian: apt-get install chromium) and run the command again
NO_PODMAN = podman, runc, debootstrap or the plugins of CNI are missing: apt-get install podman runc debootstrap iptables containernetworking-plugins golang-github-containernetworking-plugin-dnsname
NO_ADVISORIES = the advisories could not be read, so nothing was checked: make sure that this machine reaches the advisory service of PyPI
LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header
NO_PACKAGES = the packages could not be installed: make sure that this machine can reach the package registry, and run the command again

.PHONY: help demo demo-full up test faults thorough hostile secure compose-test locks sbom licences audit zoo languages clients browser screenshots vendor telemetry docs docs-test wheel schemas chart stubs bench check coverage format unit all-unit lint clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## Replay real flights through the whole system in under 4 minutes, and write a report.
	@$(BIN)/modstream demo

demo-full: $(READY) ## Run the demo with all flights from April to December 2013, about 250,000.
	@$(BIN)/modstream demo --full

up: $(READY) ## Run the whole system until Ctrl-C, for your own requests.
	@$(BIN)/modstream up

test: BRIEFLY = and not thorough
test: $(READY) ## Run all checks: lint, unit tests, tests on real servers, a fault test of every kind.
	@$(MAKE) --no-print-directory -j 2 lint all-unit
	$(BIN)/pytest -q $(if $(SEED),--seed $(SEED)) $(REAL_TESTS)
	$(FAULT_TESTS) $(CLUSTER_FAULTS)

faults: $(READY) ## Run the fault tests with ten times the faults; TIMES=3 changes the factor, SEED=1 the seed.
	$(FAULT_TESTS) --times $(TIMES) $(OTHER_FAULTS)
	$(FAULT_TESTS) --times $(TIMES) $(CLUSTER_FAULTS)

thorough: $(READY) ## Run the longer forms of tests that neither `make test` nor `make faults` runs.
	@$(BIN)/uv pip install -q --python $(BIN)/python --group ray
	$(BIN)/pytest -q -m "thorough and not fault"

hostile: $(READY) ## Send 200,000 hostile records through a real system; RECORDS=5000 changes the number.
	$(BIN)/pytest -q -s tests/hostile --records $(RECORDS) $(if $(SEED),--seed $(SEED)) --timeout 7200

zoo: $(READY) ## Publish and ask every estimator of scikit-learn and River, and 100 ONNX graphs, through Kafka.
	@$(BIN)/uv pip install -q --python $(BIN)/python --group zoo
	$(BIN)/pytest -q -s tests/zoo/test_zoo_on_kafka.py tests/zoo/test_boosting_libraries.py \
	  tests/zoo/test_flaml.py tests/journeys/test_first_hour.py --zoo all --timeout 7200

languages: $(READY) ## Run the examples of clients in Python, Node, Java and Go against a real system.
	$(BIN)/pytest -q -ra tests/journeys/test_clients.py

clients: $(READY) ## Ask a gateway through clients of Triton and KServe, and try to break it.
	$(BIN)/pytest -q -s tests/gateway_clients --clients all --timeout 3600

secure: $(READY) ## Run whole systems on a Kafka and a Redis that ask who they are, by every login.
	$(BIN)/pytest -q tests/secure

compose-test: $(READY) ## Run docker-compose.yml in real containers of Podman: load, kills, restarts, refusals.
	@command -v podman runc debootstrap > /dev/null || { echo "$(NO_PODMAN)" >&2; exit 1; }
	$(BIN)/pytest -q -s tests/containers

locks: $(READY) ## Lock the versions and hashes of what the image installs, in requirements/.
	$(LOCK) pyproject.toml -o requirements/serving.txt
	$(LOCK) pyproject.toml --extra train --extra flights -o requirements/full.txt
	printf 'setuptools>=77\nwheel\n' | $(LOCK) - -o requirements/build.txt

sbom: $(READY) ## Write the bill of materials of the image, by CycloneDX 1.5, to report/sbom.json.
	@$(BIN)/python -m tests.sbom report/sbom.json
	@$(BIN)/uv run -q --isolated --no-project --with "cyclonedx-python-lib[json-validation]>=11,<12" \
	  python tests/check_sbom.py report/sbom.json

licences: $(READY) ## Print a table of the licences of all packages of the image.
	@$(BIN)/python -m tests.licences

audit: $(READY) ## Compare the locked versions with the known advisories; fails if there is one.
	@$(BIN)/uv run -q --isolated --no-project --with "pip-audit>=2.9,<3" pip-audit --strict \
	  --disable-pip --no-deps -r requirements/full.txt --progress-spinner off 2> .audit.log; code=$$?; \
	  cat .audit.log >&2; \
	  if grep -qE "ConnectionError|ServiceError|HTTPSConnectionPool|Max retries|not found on PyPI" .audit.log; \
	  then rm .audit.log; echo "$(NO_ADVISORIES)" >&2; exit 2; else rm .audit.log; exit $$code; fi

telemetry: $(READY) $(COLLECTOR) ## Check metrics, alerts and dashboards with Prometheus, and traces with a collector.
	@command -v promtool prometheus > /dev/null || { echo "$(NO_PROMETHEUS)" >&2; exit 1; }
	$(BIN)/pytest -q tests/modstream/telemetry tests/journeys/test_metrics.py
	$(BIN)/python -m bench.telemetry
	$(BIN)/python -m bench.tracing

$(COLLECTOR): $(wildcard tests/modstream/telemetry/collector/*) | $(READY)
	@command -v go > /dev/null || { echo "$(NO_GO)" >&2; exit 1; }
	cd tests/modstream/telemetry/collector && go build -o $(abspath $@) .

browser: $(READY) ## Test the dashboard in Chromium: accessibility, keyboard, live updates.
	@command -v chromium >/dev/null || { echo "$(NO_CHROMIUM)" >&2; exit 1; }
	$(BIN)/pytest -q tests/dashboard

screenshots: $(READY) ## Write screenshots of the dashboard to report/screenshots, and those of docs/ again.
	@command -v chromium >/dev/null || { echo "$(NO_CHROMIUM)" >&2; exit 1; }
	$(BIN)/python -m tests.dashboard.screenshots report/screenshots
	$(BIN)/python -m tests.dashboard.docs_pictures docs/images

vendor: $(READY) ## Renew the JavaScript and CSS of other projects, which the dashboard serves, from npm.
	$(BIN)/python -m modstream.dashboard.web.vendor

docs: $(READY) ## Build the documentation, which the dashboard serves at /docs, without network access.
	@$(BIN)/python -m website

docs-test: $(READY) ## Run every command and program of the documentation, and check its links.
	$(BIN)/pytest -q tests/docs tests/website tests/journeys/test_first_hour.py

wheel: docs ## Build a wheel that contains the documentation, in dist/.
	@$(BIN)/uv build -q --wheel

schemas: $(READY) ## Write the JSON Schemas of all messages and the AsyncAPI document to schemas/.
	$(BIN)/python -m modstream.broker.wire.json_schemas schemas
	$(BIN)/python -m modstream.broker.wire.asyncapi schemas/asyncapi.json

chart: $(READY) ## Write the tables and the schema of settings that the Helm chart has from the code.
	$(BIN)/python -m modstream.rights.chart_tables deploy/helm/modstream

stubs: $(READY) ## Generate the stubs of the gateway's gRPC services from their .proto files.
	$(BIN)/uv run -q --isolated --no-project $(STUB_TOOLS) python -m grpc_tools.protoc -I . \
	  --python_out=. --pyi_out=. --grpc_python_out=. --mypy_grpc_out=. $(STUBS)/*.proto

bench: $(READY) ## Measure throughput, latency and cost against a pass-through and peers; QUICK=1 for less.
	$(BIN)/python -m bench $(if $(QUICK),--quick,--peers all)

check: $(READY) ## Run the quick checks in a minute: format, lint, types, import rules, quick unit tests.
	@$(MAKE) --no-print-directory -j 2 lint unit

lint: $(READY)
	$(BIN)/ruff format --check -q
	$(BIN)/ruff check -q
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(READY)
	$(BIN)/pytest -q $(QUICK_TESTS)

all-unit: $(READY)
	$(BIN)/pytest -q $(UNIT_TESTS)

coverage: $(READY) ## Run the unit tests with coverage, which takes half as long again; fails below its limit.
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q $(UNIT_TESTS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

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
	  && $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -e '.[all]' --group dev \
	  || { echo "$(NO_PACKAGES)" >&2; exit 1; }
	@$(BIN)/python -m modstream.stack.embedded.build_class_cache
	@touch $@
