# Few commands are all: demo, test, quick, lint, bench. Each sets itself up; the second time that takes seconds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := healthkit collectors reports notebooks
# The commands among the files: the others are their parts, and train_*.py rewrite constants.
BENCHMARKS := collect store anomalies trend forecast forecast_lines report

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# What pip would do on one core, tests of others included: half of the time that an installation takes.
# Nor what hardly anybody imports, or has been compiled to machine code.
COMPILE := @$(BIN)/python -m compileall -q -j 0 -x '/(tests|lexers|fontTools|mypy|mypyc|narwhals|pip|setuptools)/' $(VENV)/lib
# One more than there are cores: tests that start a server or wait for a clock leave theirs idle.
WORKERS := $(shell expr $$(nproc) + 1)
# Where images set it, every interpreter that a test starts would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test pytest quick lint bench notebooks reference pin clean FORCE
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/healthkit demo --output healthkit-demo

test: $(VENV)/test-installed
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

pytest: $(VENV)/test-installed
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

quick: $(VENV)/test-installed
	$(BIN)/pytest -n $(WORKERS) -m "not slow and not notebook"

lint: $(VENV)/test-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/installed
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

notebooks: $(VENV)/test-installed
	$(BIN)/python notebooks/pair.py

reference: $(VENV)/test-installed
	$(BIN)/python docs/reference.py

pin: $(VENV)/test-installed
	$(BIN)/python -m pip freeze --all --exclude project-healthkit --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info healthkit-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "healthkit needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --upgrade pip setuptools

# A strict editable install links single files, so a new file needs a new install; an edit does not.
$(VENV)/files: FORCE | $(VENV)/bin/python
	@find $(SOURCES) -type f -not -path '*/__pycache__/*' -not -path '*/.ipynb_checkpoints/*' | LC_ALL=C sort > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

$(VENV)/dependencies: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --constraint constraints.txt --no-build-isolation --editable . --config-settings editable_mode=strict
	$(COMPILE)
	@touch $@

$(VENV)/installed: $(VENV)/dependencies $(VENV)/files
	$(PIP) --no-deps --no-build-isolation --editable . --config-settings editable_mode=strict
	@touch $@

$(VENV)/test-installed: $(VENV)/installed
	$(PIP) --constraint constraints.txt --group test --group lint
	$(COMPILE)
	@touch $@

FORCE:
