# The verbs of this project. Each starts from a bare python3 with pip: the environment is made on first use.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs fines campaign campaign-properties campaign-crash clean

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
READY := $(VENV)/.ready-dev
BENCH_READY := $(VENV)/.ready-bench

help: ## list these verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 28

demo: $(READY) ## replay a real incident log through commands into SQLite, and check every figure
	@$(BIN)/headwater demo $(ARGS)

test: check ## everything: lint, format, types, layers, then all tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

check: $(READY) ## what needs no running: lint, format, types (mypy and pyright), layers
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/pyright --warnings
	@found=$$($(BIN)/lint-imports --no-logo) || { echo "$$found"; exit 1; }

format: $(READY) ## put the code into the house format
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

bench: $(BENCH_READY) ## measure against the floors and the peers, on this machine
	@$(BIN)/headwater bench --long $(ARGS)

docs: $(READY) ## write the generated pages, check links, execute every code block
	@$(BIN)/python scripts/docs.py
	@$(BIN)/python -m pytest -q tests/test_docs.py $(ARGS)

fines: $(READY) ## replay 561,470 commands of a fines office into SQLite and PostgreSQL, four processes projecting
	@$(BIN)/python -m pytest -q --timeout 0 -m campaign tests/fines $(ARGS)

campaign: campaign-properties campaign-crash ## the long runs: many more random histories, and many more crashes

campaign-properties: $(READY) ## property tests with thousands of examples each
	@$(BIN)/python -m pytest -q --timeout 0 -n $(WORKERS) --hypothesis-profile=campaign tests/properties tests/conformance tests/unit

campaign-crash: $(READY) ## tests marked `campaign`: kill -9, full disks, a million events
	@$(BIN)/python -m pytest -q --timeout 0 -m campaign tests

clean: ## remove the environment and what the tools left
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/bin/python:
	@echo "making $(VENV) (first run only)" >&2
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  $(PYTHON) -m pip install --quiet --user virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }

# Pages are tried in a real browser where there is one; where apt may bring one along, it does.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
define bring_browser
  command -v $(BROWSERS) >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
    && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
    >/dev/null 2>&1 || echo "no Chromium: the tests of pages in a browser are skipped" >&2
endef

# `--group` needs pip 25.1, and a fresh environment has the interpreter's own.
$(READY): pyproject.toml | $(VENV)/bin/python
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --editable '.[all]' --group dev
	@$(bring_browser)
	@touch $@

# A peer in node comes along where there is npm; where there is none, it is reported as not measured.
$(BENCH_READY): pyproject.toml $(READY)
	@$(PIP) install --editable '.[all,bench]'
	@npm install --silent --no-fund --no-audit --prefix $(VENV)/node @event-driven-io/emmett-postgresql@0.42 \
	  || echo "emmett could not be installed: it is left out" >&2
	@touch $@
