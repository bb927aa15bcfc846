# The words here are the same on a developer's machine and in CI. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.11
BIN := .venv/bin
# Node 20 still runs the CDK; its own warning about the end of Node's support would hide ours.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 20
# Many processes import the same modules: without bytecode each of them compiles all that are ours, and tests, anew.
unexport PYTHONDONTWRITEBYTECODE
AREA ?=
TESTS ?= tests
# Three processes, since those that have deployed something wait more than they compute; tests that share something stay
# together (tests/conftest.py), so that it is made once.
PARALLEL ?= -n 3 --dist loadscope

.PHONY: help
help: ## List the words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# --- set-up -----------------------------------------------------------------------------------------------------------
.venv/.installed: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11, or set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements.txt || { \
		echo "the packages of requirements.txt could not be installed: connect to the network, or name a mirror of PyPI" \
		"(PIP_INDEX_URL=https://...) or a folder of wheels (PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER), then make setup" >&2; exit 1; }
	@# On all cores, which pip does not; some packages hold files that are no Python of today.
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib >/dev/null || true
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo "npm is not installed: install Node.js 20 or later (the CDK needs it)" >&2; exit 1; }
	@npm ci --no-audit --no-fund --loglevel=error || { echo "aws-cdk could not be installed: connect to the network," \
		"or name a mirror of npm (npm config set registry https://...), then make setup" >&2; exit 1; }
	@touch $@

.PHONY: setup
setup: .venv/.installed node_modules/.installed ## Install everything, pinned and hashed

.PHONY: layers
layers: setup ## Build the Lambda layers for AWS (needs the network once, no Docker)
	$(BIN)/python -m infra.layer_build

# --- the main job -----------------------------------------------------------------------------------------------------
.PHONY: demo
demo: setup ## Deploy into the local cloud, run a real workflow, show its lineage (KEEP=1 leaves the cloud running)
	@KEEP=$(KEEP) $(BIN)/python -m local.demo

.PHONY: synth
synth: setup layers ## Write the CloudFormation templates to cdk.out, offline
	PATH="$(CURDIR)/$(BIN):$$PATH" node_modules/.bin/cdk synth --quiet

# --- checks -----------------------------------------------------------------------------------------------------------
.PHONY: test
test: setup ## Run the tests (TESTS=tests/unit for a part)
	$(BIN)/pytest $(PARALLEL) $(TESTS)

.PHONY: check
check: setup layers ## All that CI checks: format, lint, types, imports, templates, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory -j 2 types templates
	$(BIN)/pytest $(PARALLEL) $(TESTS)

.PHONY: types templates
types: setup
	$(BIN)/mypy

templates: synth
	$(BIN)/cfn-lint cdk.out/*.template.json

.PHONY: bench
bench: setup ## Measure against peers, one JSON object a line (AREA=lineage for one area)
	@$(BIN)/python -m benchmarks $(AREA)

.PHONY: lock
lock: setup ## Pin and hash all dependencies anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes --all-extras pyproject.toml --output-file requirements.txt
	for layer in dependencies numeric scoring; do $(BIN)/uv pip compile --quiet --no-header --python-version 3.13 --python-platform aarch64-manylinux_2_28 \
		--generate-hashes layers/$$layer/requirements.in --output-file layers/$$layer/requirements.txt; done

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf .venv node_modules build cdk.out .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
