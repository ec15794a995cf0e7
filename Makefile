# Everything runs in .venv, which the first target that needs it makes from the lock files. Needs Python 3.11.
#
#   make demo            see it work, with nothing but Python (SECONDS=30 ends by itself)
#   make test            all tests, on a real Kafka and a real Redis
#   make fuzz            the core against the brute force, and every decoder against bytes, with N=… draws from SEED=… on
#   make simulate        faults of every kind in one process, on SEEDS=… seeds from SEED=… on
#   make chaos           everything that may befall Segue, on real servers, and then long without a broker (MINUTES=30 SEED=7)
#   make mutation        which changes to the core no test notices (ARGS="streams.segmentation.windows*")
#   make lint            formatting, linting, types, layers
#   make generate        write the generated files anew: schemas/generated, ops/settings.md
#   make bench           what this machine can do, all of it (ARGS="latency --seconds 60" for one measurement, ARGS=--help)
#   make profile         where a worker's time goes: a flame graph, and the functions that take most (ARGS=--help)
#   make compiled        a copy of the checkout with its core compiled, twice as fast (needs a C compiler)
#   make install         the environment alone, with .venv/bin/segue
#   make clean           remove caches and the environment

SHELL := /bin/sh
.DEFAULT_GOAL := help

# A Python 3.11 that starts (a shim of a version manager may exist and not start).
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
RUNTIME := .venv/.runtime-installed
DEVELOPMENT := .venv/.development-installed

# Arguments of pytest, such as ARGS="-k clock -x".
ARGS ?=
# Processes of pytest; the live tests start processes of their own beside it.
JOBS ?= 2

.PHONY: help install compiled test fuzz simulate chaos mutation lint format demo bench profile generate docs lock clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 is needed: install it, or give PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making .venv and installing into it what the lock file names (once, about a minute)…"
	@$(PYTHON) -m venv .venv

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) -q install --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock requirements.lock pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) -q install --no-deps --no-build-isolation -e .
	@touch $(RUNTIME) $@

install: $(RUNTIME)

compiled: $(DEVELOPMENT)
	@tree=$$($(BIN)/python -m tests.support.compiled) && \
		echo "Compiled in $$tree. Run it with: PYTHONPATH=$$tree $(BIN)/segue worker"

test: $(DEVELOPMENT)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

fuzz: $(DEVELOPMENT)
	nice $(BIN)/python -m tests.oracle $(if $(N),--draws $(N)) $(if $(SEED),--seed $(SEED))
	nice $(BIN)/python -m tests.fuzzing $(if $(N),--runs $(N)) $(if $(SEED),--seed $(SEED))

simulate: $(DEVELOPMENT)
	nice $(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--from $(SEED)) $(ARGS)

chaos: $(DEVELOPMENT)
	nice $(BIN)/python -m tests.faults.chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

mutation: $(DEVELOPMENT)
	nice -n 19 $(BIN)/python -m tests.support.mutation $(ARGS)

lint: $(DEVELOPMENT)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy ops/examples/receiver.py
	$(BIN)/lint-imports

format: $(DEVELOPMENT)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: $(RUNTIME)
	@$(BIN)/segue demo $(if $(SECONDS),--seconds $(SECONDS))

bench: $(DEVELOPMENT)
	$(BIN)/python -m bench $(ARGS)

profile: $(DEVELOPMENT)
	$(BIN)/python -m bench profile $(ARGS)

generate docs: $(DEVELOPMENT)
	$(BIN)/python -m schemas.documents
	$(BIN)/python -m streams.definition_files.schema
	$(BIN)/python -m streams.importing.schema
	$(BIN)/python -m tests.support.settings_page
	$(BIN)/python -m tests.support.openapi_document

LOCK := $(BIN)/pip-compile -q --allow-unsafe --generate-hashes --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: $(DEVELOPMENT)
	$(LOCK) -o requirements.lock pyproject.toml
	$(LOCK) --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	for each in bench/profile/requirements.in bench/contenders/*/requirements.in tests/clients/requirements.in; do $(LOCK) -o "$${each%.in}.lock" "$$each" || exit; done

clean:
	rm -rf .venv .cache .hypothesis mutants .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist *.egg-info
