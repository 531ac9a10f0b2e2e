# On a fresh machine with Python and make, every target first prepares .venv with all that it needs.
#
#   make demo DEMO_ARGS="--devices 20000"     make fuzz FUZZ_S=600     make test TEST_ARGS="tests/wire -x"     make setup PYTHON=python3.12

PYTHON ?= python3
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
SOAK_ARGS ?=
FUZZ_S ?= 60
FUZZ_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
# A Python that somebody named is taken or refused; unnamed, a newer one on the path stands in for one too old.
CANDIDATES = $(if $(filter file,$(origin PYTHON)),python3 python3.14 python3.13 python3.12 python3.11 python,"$(PYTHON)")

.DEFAULT_GOAL := help
.PHONY: help setup demo test fuzz soak replays docs check bench clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## prepare .venv/bin/pushrig

demo: $(READY) ## the main job: a hundred thousand devices through simulator and sender
	$(BIN)/pushrig demo $(DEMO_ARGS)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest $(TEST_ARGS)

fuzz: $(READY) ## search for inputs that break a property, for FUZZ_S seconds (CONTRIBUTING.md, "Fuzzing")
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_S) $(FUZZ_ARGS)

soak: $(READY) ## ten million notifications on one pair of connections, with flat memory (a minute or two)
	$(BIN)/python -m tests.wire.soak $(SOAK_ARGS)

replays: $(READY) ## every scenario three times over the reference sender, which has to come out alike (a quarter of an hour)
	$(BIN)/pushrig replay all --provider both --times 3 -- $(BIN)/pushrig send

docs: $(READY) ## write the pages that are made of tests and tables: docs/conformance.md, parts of docs/wire.md and docs/scenarios.md
	$(BIN)/python -m tests.wire.write_docs
	$(BIN)/python -m tests.faults.write_scenario_tables

check: $(READY) ## lint, formatting, types, who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## measure sender and simulator on this machine
	$(BIN)/pushrig bench $(BENCH_ARGS)

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The mark is newer than pyproject.toml once the dependencies named there are installed. An environment that was left half
# made is made anew.
$(READY): pyproject.toml
	@python=; \
	for candidate in $(CANDIDATES); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "pushrig needs Python 3.11 or later; '$(PYTHON)' is $$("$(PYTHON)" --version 2>/dev/null || echo missing)." >&2; \
		echo "Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making .venv with $$("$$python" --version)"; \
		"$$python" -m venv --clear .venv || { \
			rm -rf .venv; \
			echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@# As pip does for all that is not editable: where PYTHONDONTWRITEBYTECODE is set, each start would compile every module.
	@$(BIN)/python -m compileall -q pushrig.py pushrig_pytest wire simulator sender loadtest
	@touch $(READY)
