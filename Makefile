# Every target sets up what it needs, in a virtual environment of its own (.venv); nothing is installed elsewhere.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEMO := demo-case
SAMPLE := sample_logs/inc-2024-00123.tar.gz
ZONES := --zone '*app?/*=America/New_York' --zone '*mail1*=Europe/Berlin'
DOCUMENTS := README.md docs/*.md

.PHONY: help setup demo test check lint types floors docs notebooks wheel bench laws format clean

help:
	@echo "demo    build the case of sample_logs/ and print its timeline"
	@echo "test    run the tests"
	@echo "check   all that a change is held to: lint types floors test docs notebooks wheel"
	@echo "laws    try what rules mean on 20,000 rules and 20,000 correlations, read 200,000 lines of prose, and make the mistakes that tests must catch"
	@echo "bench   measure speed and memory"
	@echo "torture kill runs at random instants, and compare what the next one makes of it"
	@echo "format  format the code, and write the generated parts of the documents anew"
	@echo "clean   remove what the targets made"

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("pirtimeline needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(READY)

demo: $(READY)
	@rm -rf $(DEMO)
	$(BIN)/pirtimeline build $(SAMPLE) --case $(DEMO) --incident INC-2024-00123 $(ZONES) --quiet
	$(BIN)/pirtimeline timeline $(DEMO)
	@echo
	@echo "report: $(DEMO)/report.md"
	@echo "page:   $(DEMO)/timeline.html"

test: $(READY)
	$(BIN)/python -m pytest -n logical --dist loadfile

check: lint types floors test docs notebooks wheel

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

floors: $(READY)
	$(BIN)/lint-imports

docs: $(READY)
	$(BIN)/python -m pytest -n logical --dist loadfile --doctest-modules pirtimeline parsers/pirtimeline_parsers
	$(BIN)/cog --check $(DOCUMENTS)

notebooks: $(READY)
	$(BIN)/python notebooks/run.py

wheel: $(READY)
	sh tests/wheel.sh $(BIN)/python

laws: $(READY)
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -k agree_with_naive_reading tests/test_signatures_semantics.py tests/test_signatures_correlation.py
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest tests/test_prose.py
	$(BIN)/python benchmarks/mistakes.py

bench: $(READY)
	$(BIN)/python -m benchmarks

torture: $(READY)
	$(BIN)/python -m benchmarks.torture

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/cog -r $(DOCUMENTS)

clean:
	rm -rf .venv build dist $(DEMO)
