# `make lab` to look, `make test` to check. Both make .venv first where it is missing or out of date.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Jupyter refuses to run as root unless told that this is meant.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab test test-oldest docs format bench clean

help:
	@echo "make lab     open JupyterLab on the first notebook (ARGS=... goes to JupyterLab)"
	@echo "make test    run every check there is              (ARGS=... goes to pytest)"
	@echo "make docs    build the site into build/docs"
	@echo "make test-oldest  the tests without a browser, with the oldest versions allowed"
	@echo "make format  put Python and JavaScript in order"
	@echo "make bench   measure, and write the tables of benchmarks/README.md"
	@echo "make clean   remove what the others installed and built"

lab: .venv/lab.stamp
	$(BIN)/python -m jupyterlab $(ALLOW_ROOT) --ServerApp.root_dir=notebooks \
	  --LabApp.default_url=/lab/tree/01_first_look.ipynb $(ARGS)

test: .venv/dev.stamp
	@tools/check $(ARGS)

docs: .venv/dev.stamp
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Open build/docs/index.html"

test-oldest: .venv-oldest/stamp
	.venv-oldest/bin/python -m pytest --ignore tests/browser --ignore tests/lab \
	  --ignore tests/test_binder.py --ignore tests/test_docs.py --ignore tests/test_package.py $(ARGS)

format: .venv/dev.stamp
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	npm ci
	npm run format

bench: .venv/dev.stamp
	$(PIP) install --constraint constraints.txt --group bench
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf .venv .venv-oldest node_modules dist build docs/generated .mypy_cache .pytest_cache .ruff_cache

# `--group lab` brings what the package needs with tensorflow-cpu in place of tensorflow, so the
# package itself must come without its dependencies, or pip would fetch tensorflow too.
.venv/lab.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt pip
	$(PIP) install --constraint constraints.txt --group lab
	$(PIP) install --build-constraint constraints.txt --no-deps --editable .
	touch $@

.venv/dev.stamp: .venv/lab.stamp
	$(PIP) install --constraint constraints.txt --group dev
	touch $@

.venv-oldest/stamp: pyproject.toml constraints-oldest.txt
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip --disable-pip-version-check install "pip>=25.1"
	.venv-oldest/bin/python -m pip install --constraint constraints-oldest.txt --group runtime-cpu \
	  hypothesis nbclient nbformat "pytest>=9.2" "scikit-image>=0.24" "tf-keras-vis>=0.8.7"
	.venv-oldest/bin/python -m pip install --no-deps --editable .
	touch $@
