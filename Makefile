# make demo and make test each set up everything they need from a clean clone.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_OUT := out/demo

.PHONY: demo test lint bench clean

demo: $(INSTALLED)
	rm -rf $(DEMO_OUT)
	$(BIN)/edge-ecg demo --out $(DEMO_OUT)

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m pytest benches --benchmark-only --benchmark-columns=min,median,iqr,rounds

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,export,wfdb,edf,sign,docs,dev]'
	touch $@

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
