# Every target makes .venv first, so that one command is enough on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
export HOLDFAST_DATA ?= ../shared/data
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: run test lint bench clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch .venv/ready

run: .venv/ready
	$(BIN)/python experiments/quickstart.py

# Three files at a time, on two cores, since processes that start wait now and then; then what bounds seconds.
test: .venv/ready
	$(BIN)/pytest -m "not quiet" --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -m quiet

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/ready
	$(BIN)/python -m experiments.benchmarks $(ARGS)

clean:
	rm -rf .venv holdfast-store
