# make demo and make test each set up everything they need from a clean clone.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_OUT := out/demo

.PHONY: demo test lint bench bench-compare bench-small docs pictures docs-links fuzz wheel-test ios-demo \
	device-check arm-check clean

demo: $(INSTALLED)
	rm -rf $(DEMO_OUT)
	$(BIN)/edge-ecg demo --out $(DEMO_OUT)

# Without CI=1 it leaves out what needs a browser, a cluster, Swift, kills or whole documents, and says how much that is.
test: $(INSTALLED)
	$(BIN)/python -m pytest

WORKFLOWS := .github/workflows/apple.yml .github/workflows/ci.yml

# actionlint is no package of the index: it runs where it is installed.
lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.words
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/zizmor --offline --quiet --no-progress $(WORKFLOWS)
	if command -v actionlint >/dev/null; then actionlint $(WORKFLOWS); else echo "no actionlint here: not run"; fi

# Figures with machine facts are kept in out/benchmarks; bench-compare fails if a minimum got worse by TOLERANCE.
BENCH := $(BIN)/python -m pytest benches -n 0 --benchmark-only --benchmark-columns=min,median,iqr,rounds \
	--benchmark-storage=file://out/benchmarks
TOLERANCE ?= 50%
BENCH_BUNDLE ?= $(DEMO_OUT)/bundle

bench: $(INSTALLED)
	$(BENCH) --benchmark-autosave
	$(BIN)/python -m benches.peers --bundle $(BENCH_BUNDLE) --json out/benchmarks/peers.json

bench-compare: $(INSTALLED)
	$(BENCH) --benchmark-compare --benchmark-compare-fail=min:$(TOLERANCE)

bench-small: $(INSTALLED)
	$(BENCH) --benchmark-max-time=0.02 --benchmark-min-rounds=1 --benchmark-disable-gc --benchmark-warmup=off -q

docs: $(INSTALLED)
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs out/docs

# The pictures in docs/pictures, drawn anew by the commands of the pages; needs chromium and chromium-driver.
pictures: $(INSTALLED)
	$(BIN)/python -m docs.pictures

# Links inside the repository with their anchors, which `make test` checks too, then the pages' links to elsewhere.
docs-links: $(INSTALLED)
	$(BIN)/python -m pytest -q tests/test_docs.py -k link
	$(BIN)/python -m sphinx -q -b linkcheck docs out/docs-links

# Each reader of what a stranger sends, by coverage; atheris has wheels for Python 3.11 on Linux.
FUZZ_RUNS ?= 20000
FUZZED := labels dataset references manifest archive recording bundle

fuzz: $(INSTALLED) $(DEMO_OUT)/bundle
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[fuzz]'
	for reader in $(FUZZED); do $(BIN)/python tests/fuzz_readers.py $$reader -runs=$(FUZZ_RUNS) \
		--data $(DEMO_OUT)/data --bundle $(DEMO_OUT)/bundle --out out/fuzz || exit 1; done

$(DEMO_OUT)/bundle:
	$(MAKE) demo

# The wheel in an empty environment, with the runtime's dependencies alone; needs a package index.
wheel-test: $(INSTALLED)
	EDGE_ECG_WHEEL_TEST=1 $(BIN)/python -m pytest tests/test_packaging.py

# Put a bundle into the sample app, then `xcodegen` in its folder: make ios-demo BUNDLE=out/demo/bundle
BUNDLE ?= $(DEMO_OUT)/bundle

ios-demo: $(INSTALLED) $(BUNDLE)
	$(BIN)/edge-ecg pack $(BUNDLE) --out ios_bridge/Examples/WatchDemo/Watch/person.ecgbundle

# Against this machine: the Swift core on emulated devices (Cortex-M7 and M4F, Arm of 64 and 32 bits), and the Python
# runtime on emulated 64-bit Arm. Both install what they need of Debian, as root; what is missing is said and skipped.
SMALL := out/small
DEVICE_BUNDLE ?= $(SMALL)/bundle
DEVICE_RECORDINGS ?= $(SMALL)/person/0301/*/*.csv

device-check: $(INSTALLED) $(DEVICE_BUNDLE)
	$(BIN)/python -m benches.device
	$(BIN)/python -m benches.device $(DEVICE_BUNDLE) $(DEVICE_RECORDINGS) \
		$(if $(EDGE_ECG_DATA),$(EDGE_ECG_DATA)/watch/0921/*/*_1.csv) --json out/device/device.json

arm-check: $(INSTALLED) $(DEVICE_BUNDLE)
	$(BIN)/python -m benches.arm $(DEVICE_BUNDLE) $(DEVICE_RECORDINGS)

$(SMALL)/bundle: $(INSTALLED)
	$(BIN)/python -m benches.small $(SMALL)

# PYTHONWARNINGS: setuptools warns at length of what an editable installation is.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into .venv what is needed, torch and coremltools among it: this takes a minute or more."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,export,report,cohort,wfdb,edf,mat,pdf,sign,docs,dev]'
	@touch $@

clean:
	rm -rf .venv .build out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
