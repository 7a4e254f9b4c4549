# Everything that a person or CI does here is one verb. `make` alone prints them.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN    := .venv/bin
READY  := .venv/.ready
ARGS   ?=

QUESTIONS ?= 100000
HISTORIES ?= 5000
SEEDS     ?= 2000
ROUNDS    ?= 5
ONLY      ?= engine observing book_load calendar sources backtest worker detection gateway

.PHONY: help setup up test lint types unit oracle sim sim-soak faults docs deploy sbom bench bench-peers compiled format clean

help: ## print the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with everything pinned (the other verbs do it by themselves)

up: $(READY) ## watch a day of tickets become SLA alerts on a real local Kafka (ARGS="--for 60s")
	@exec $(BIN)/slastream up $(ARGS)

test: lint types ## everything that CI runs: lint, types, and every test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(READY) ## style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## mypy, strict
	$(BIN)/mypy

unit: $(READY) ## the tests that need no broker, in a minute or two
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/unit tests/golden tests/property tests/contract tests/sim $(ARGS)

oracle: $(READY) ## random calendars and tickets against brute force, the long form (minutes)
	$(BIN)/python -m tests.property.calendar_oracle $(QUESTIONS)
	$(BIN)/python -m tests.property.ticket_oracle $(HISTORIES)

sim: $(READY) ## a partition under faults in virtual time (SEED=n for one seed, SEEDS=n for many)
	$(BIN)/python -m tests.sim.run $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

sim-soak: $(READY) ## an hour of seeds, with progress; ends early when one fails (FROM=n to go on)
	$(BIN)/python -m tests.sim.run --minutes 60 $(if $(FROM),--from $(FROM))

faults: $(READY) ## at least 200 faults on real brokers, half an hour (SEED=n, ROUNDS=n, KIND="killed,disk full")
	$(BIN)/python -m tests.faults.run --rounds $(ROUNDS) --seed $(or $(SEED),1) $(if $(KIND),--only "$(KIND)") $(ARGS)

docs: $(READY) ## the documentation as a site, in var/site; a broken link, anchor or a page without a place fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean --quiet $(ARGS)
	@echo "var/site/index.html"

deploy: ## what cannot run here, by other people's validators: chart, dashboards, rules, images, topics (minutes)
	@deploy/check.sh

sbom: ## the release's bill of materials, CycloneDX JSON, into dist/
	@deploy/sbom.sh

bench: .venv/.bench ## every measurement in bench/, on a quiet machine (ONLY="engine worker" for some)
	@for name in $(ONLY); do echo "== $$name" >&2; $(BIN)/python -m bench.$$name $(ARGS); done

bench-peers: .venv/.peers ## the same job through slastream, Kafka Streams, Quix Streams and Faust (needs Maven, JDK 17 and a C compiler)
	@$(BIN)/python -m bench.peers.run $(ARGS)

compiled: $(READY) ## the tests of meaning once more, on a compiled build in build/compiled (needs a C compiler)
	@rm -rf build && mkdir -p build/source
	@cp -r pyproject.toml README.md LICENSE slastream topics deploy build/source
	@echo "Compiling, about half a minute ..." >&2
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=true $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -c constraints.txt -w build/wheel build/source
	@$(BIN)/python -m zipfile -e build/wheel/slastream-*.whl build/compiled
	@cp -r tests bench topics deploy docs pyproject.toml README.md Makefile build/compiled
	@cd build/compiled && $(CURDIR)/$(BIN)/python -c 'import slastream.core.alert as it; assert it.__file__.endswith((".so", ".pyd")), it.__file__'
	@cd build/compiled && $(CURDIR)/$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not interpreted" tests/unit/core tests/unit/engine tests/unit/offline tests/golden tests/property tests/sim $(ARGS)

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv and every cache of this folder
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build var

# The stamp is older than its sources when a pin changes: the next verb installs again.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; or name one: make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, {sys.executable} is {v[0]}.{v[1]}; or name one: make PYTHON=/path/to/python")'
	@echo "Preparing .venv with $(PYTHON) (only the first time, well under a minute) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[local]' --group dev
	@touch $(READY)

# The libraries that a measurement compares with are no dependency of anything else.
.venv/.bench: $(READY)
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	@touch .venv/.bench

.venv/.peers: $(READY)
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group peers
	@touch .venv/.peers
