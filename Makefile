# Everything a newcomer needs: `make help`. Only CPython >= 3.11 and make are expected on the machine.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Settings for a machine with its own package index, e.g. PIP_ARGS="--index-url ..."
PIP_ARGS ?=
PIP = $(PY) -m pip install -qq --disable-pip-version-check $(PIP_ARGS) -c constraints.txt
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard packages/*/pyproject.toml))
PROJECTS := $(wildcard pyproject.toml packages/*/pyproject.toml)
STAMP := $(VENV)/.partseg-setup
# The test machines have two cores: one worker a core, one thread a worker.
JOBS ?= 2
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST = $(ONE_THREAD) $(PY) -m pytest

pkg ?=
SHAPE ?= docs/samples/dinosaur.glb
OUT ?= demo_out
DEMO_ARGS ?=
DATA ?= $(PARTSEG_DATA)
WEIGHTS_ARGS ?=

.PHONY: help setup demo test lint perf quality bench claims weights weights-recursive weights-refiner wheels clean distclean test-pyg test-open3d test-gpu

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install everything into it (does nothing when that is done)

# torch goes in first and alone: beside other requirements pip may settle on a build that needs CUDA or torchvision.
$(STAMP): constraints.txt $(PROJECTS)
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  for candidate in python3 python3.13 python3.12 python3.11 python; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  [ -n "$${found:-}" ] || { echo "setup: no CPython >= 3.11 found on PATH" >&2; exit 1; }; \
	  echo "setup: creating $(VENV) with $$($$found -V)"; $$found -m venv $(VENV); \
	fi
	@echo "setup: installing the packages (a few minutes the first time)"
	@$(PIP) pip
	@$(PIP) torch
	@$(PIP) --group dev
	@$(PIP) --no-build-isolation $(foreach package,$(PACKAGES),-e ./$(package))
	@touch $@
	@echo "setup: done; activate with 'source $(VENV)/bin/activate' or call $(BIN)/partseg"

demo: setup ## segment a sample shape, or yours: make demo SHAPE=my/robot.glb
	@$(BIN)/partseg segment "$(SHAPE)" --output "$(OUT)" --overwrite $(DEMO_ARGS)
	@echo
	@echo "Look at the pictures and open the .glb in any viewer; each part is a named node:"
	@find "$(OUT)" -name '.*' -prune -o -type f -print | sort | sed 's/^/  /'

test: setup lint ## lint and all tests, or those of one package: make test pkg=partfield
	$(PYTEST) -n $(JOBS) --dist loadgroup -m "not gpu and not pyg" $(if $(pkg),tests/$(pkg),tests)

lint: setup ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/lint-imports

perf: setup ## speed and memory against peers, as a table
	$(PY) benchmarks/perf

quality: setup ## class-agnostic mIoU on labelled real shapes, as a table
	$(PY) benchmarks/quality

# Stopped at any time, it goes on where it was; BENCH_ARGS="--workers 1" and the like are passed on.
BENCH_RUNS ?= bench_runs
BENCH_ARGS ?=
bench: setup ## a leaderboard of the installed methods on the embedded shapes, with its report
	@$(BIN)/partseg bench run --runs "$(BENCH_RUNS)" $(BENCH_ARGS) || [ $$? -eq 1 ] # a cell that failed is a row of the report
	@$(BIN)/partseg bench report --runs "$(BENCH_RUNS)" --html

# At most 15 minutes on two cores; CLAIMS_ARGS="--all" tests also what takes hours. Results are shared with `make bench`.
CLAIMS_ARGS ?=
claims: setup ## do the orderings that the papers' tables claim hold on the embedded data? a table of verdicts
	@$(BIN)/partseg bench claims benchmarks/claims --runs "$(BENCH_RUNS)" $(CLAIMS_ARGS)

# One run on one core takes about 75 minutes; the folder is what `partseg segment --weights` reads and the package ships.
WEIGHTS ?= runs/small
weights: setup ## train PartField weights as the shipped ones were: make weights DATA=folder with robots/ and scene-graphs/
	PARTSEG_DATA="$(DATA)" $(ONE_THREAD) $(BIN)/partseg fit --config partfield/small --config benchmarks/weights/small.yaml \
	  --trainer.default_root_dir $(WEIGHTS)/run $(WEIGHTS_ARGS)
	$(PY) -c "import glob, os, partseg_partfield.module as m; \
	  found = max(glob.glob('$(WEIGHTS)/run/**/*.ckpt', recursive=True), key=os.path.getmtime); \
	  m.PartFieldModule.from_pretrained(found).save_pretrained('$(WEIGHTS)')"

# Embedded shapes alone: nothing to download. About an hour on one core.
RECURSIVE_WEIGHTS ?= runs/recursive-partnet
weights-recursive: setup ## train recursive PartNet weights as the shipped ones were
	$(ONE_THREAD) $(BIN)/partseg fit --config recursive-partnet/small --config benchmarks/weights/recursive_partnet.yaml \
	  --trainer.default_root_dir $(RECURSIVE_WEIGHTS)/run $(WEIGHTS_ARGS)
	$(PY) -c "import glob, os, partseg_recursive_partnet.segmenter as s; \
	  found = max(glob.glob('$(RECURSIVE_WEIGHTS)/run/**/*.ckpt', recursive=True), key=os.path.getmtime); \
	  s.RecursivePartNetSegmenter.from_pretrained(found).save_pretrained('$(RECURSIVE_WEIGHTS)', \
	  trained_on='procedural', seed=0, command='make weights-recursive')"

REFINER_WEIGHTS ?= runs/refiner
weights-refiner: setup ## train the refiner's weights as the shipped ones were
	$(ONE_THREAD) $(BIN)/partseg fit --config recursive-partnet-refiner/small --config benchmarks/weights/refiner.yaml \
	  --trainer.default_root_dir $(REFINER_WEIGHTS)/run $(WEIGHTS_ARGS)
	$(PY) -c "import glob, os, partseg_recursive_partnet.refinement.refiner as r; \
	  found = max(glob.glob('$(REFINER_WEIGHTS)/run/**/*.ckpt', recursive=True), key=os.path.getmtime); \
	  r.Refiner.from_pretrained(found).save_pretrained('$(REFINER_WEIGHTS)', \
	  trained_on='procedural', seed=0, command='make weights-refiner')"

wheels: setup ## build every package's wheel into dist/
	@rm -rf dist
	@for package in $(PACKAGES); do $(PY) -m build --wheel --no-isolation --outdir dist $$package >/dev/null; done
	@ls -l dist

# The sources of torch-scatter and torch-cluster compile against the torch that is installed, hence no build isolation.
test-pyg: setup ## build the pyg extra (about ten minutes) and run its equality tests
	@$(PY) -m pip install --quiet "setuptools<81" wheel ninja
	@$(PY) -c "import torch_scatter, torch_cluster" 2>/dev/null || $(PIP) --no-build-isolation torch-scatter torch-cluster
	$(PYTEST) -m pyg tests

test-open3d: setup ## install the open3d extra (0.9 GB) and run the tests that need it
	@$(PIP) open3d
	$(PYTEST) tests/baselines -k fpfh

test-gpu: setup ## the tests that need a CUDA device
	$(PYTEST) -m gpu tests

clean: ## remove what builds, tests and demos wrote
	@rm -rf dist build demo_out packages/*/build packages/*/dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis lightning_logs
	@find packages tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## clean, and remove the virtual environment
	@rm -rf $(VENV)
