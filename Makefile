# Every target sets up what it needs, in a virtual environment of its own (.venv).

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEMO := demo-case
SAMPLE := sample_logs/inc-2024-00123.tar.gz

.PHONY: setup demo test check lint types floors docs wheel notebooks bench format clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/pirtimeline build $(SAMPLE) --case $(DEMO) --incident INC-2024-00123 --quiet
	$(BIN)/pirtimeline timeline $(DEMO)
	@echo
	@echo "report: $(DEMO)/report.md"
	@echo "page:   $(DEMO)/timeline.html"

test: $(READY)
	$(BIN)/python -m pytest tests

check: lint types floors test docs notebooks wheel

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

floors: $(READY)
	$(BIN)/lint-imports

docs: $(READY)
	$(BIN)/python -m pytest --doctest-modules pirtimeline parsers/pirtimeline_parsers
	$(BIN)/cog --check README.md docs/*.md

notebooks: $(READY)
	$(BIN)/python notebooks/run.py

wheel: $(READY)
	PYTHON="$(BIN)/python" sh tests/wheel.sh

bench: $(READY)
	$(BIN)/python -m benchmarks

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist $(DEMO)
