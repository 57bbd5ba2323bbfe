# All tasks of the project. Each target installs what it needs, once. .venv is created
# with the first Python 3.11+ that is found.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run test lint format typing docs check-docs pictures bench bench-deadline build mutation clean \
	test-min test-dev test-all test-wheel attack-short frozen neighbours engines attack apart/neighbours apart/engines suite check
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
# For pip: a constraints file, such as requirements/lowest.txt.
CONSTRAINTS :=
# For pytest, as in `make test ARGS="-k signature"`.
ARGS :=
# For `make test-dev`.
PALLETS := flask werkzeug
# The number of processes that run the tests: one more than processors, because some
# tests wait.
WORKERS := $(shell expr `getconf _NPROCESSORS_ONLN` + 1)

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/installed/examples  ## Start the shop bot, send it a notification, and show the reply
	@$(PY) scripts/demo.py

run: $(VENV)/installed/examples  ## Start the shop bot, keep it running, and print a curl command for it
	@$(PY) scripts/demo.py --stay

test: $(VENV)/installed/test  ## Run the tests in parallel, with coverage; or some: ARGS="-k signature"
ifdef ARGS
	@$(DEV) -m pytest $(ARGS)
else
	@$(PY) -m coverage erase
	@$(DEV) -m coverage run -m pytest -p no:randomly $(PARALLEL)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report $(UNCOVERED) >$(VENV)/coverage.log \
		|| { cat $(VENV)/coverage.log; exit 1; }
endif

test-min:  ## Run the tests with the lowest supported versions of the dependencies
	@$(MAKE) suite VENV=.venv-min CONSTRAINTS=requirements/lowest.txt PYTHON=python3.11

test-dev:  ## Run the tests with the development versions of Flask and Werkzeug
	@$(MAKE) suite VENV=.venv-dev UPSTREAM="$(PALLETS:%=https://github.com/pallets/%/archive/main.zip)"

test-all:  ## Run the tests on each installed CPython from 3.11
	@scripts/pythons | { status=0; while read -r python; do \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		$(MAKE) suite VENV=.venv-$$version PYTHON="$$python" </dev/null || status=1; \
	done; exit $$status; }

test-wheel: build  ## Run the tests with the built wheel, outside of the checkout
	@scripts/test-wheel $(ARGS)

frozen: $(VENV)/installed/frozen  ## Freeze a bot with PyInstaller, and test it
	@$(DEV) -m pytest tests/apart/frozen.py $(ARGS)

neighbours:  ## Test the webhook together with other extensions
	@$(MAKE) apart/neighbours VENV=.venv-neighbours

apart/neighbours: $(VENV)/installed/neighbours
	@$(DEV) -m pytest tests/apart/neighbours.py $(ARGS)

engines:  ## Test background work with Celery, RQ and others, and deadlines on servers that stop
	@$(MAKE) apart/engines VENV=.venv-engines

apart/engines: $(VENV)/installed/engines
	@$(DEV) -m pytest tests/apart/engines.py tests/apart/stopping.py $(ARGS)

attack:  ## Attack bots on many servers, and print the figures of docs/run/security.rst (10 minutes)
	@$(MAKE) apart/attack VENV=.venv-attack

attack-short:  ## Run a part of the attacks: without browser and soak test (some minutes)
	@$(MAKE) attack ARGS="odd forged kills redis"

# ARGS="kills soak" runs some of them.
apart/attack: $(VENV)/installed/attack
	@PYTHONPATH=tests:tests/apart $(PY) -m attack $(ARGS)

# In random order. pytest prints the seed; `ARGS="--randomly-seed=N"` repeats the order.
suite: $(VENV)/installed/test
	@$(PY) -VV
	@$(DEV) -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/installed/lint  ## Check style and formatting
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m codespell_lib
	@$(PY) scripts/phrases.py

format: $(VENV)/installed/lint  ## Correct style and formatting
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

typing: $(VENV)/installed/typing  ## Check the types, with mypy and pyright
	@$(PY) -m mypy
	@$(PY) -m pyright --pythonpath $(PY)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYTHONPATH=. $(PY) -m pyright \
		--verifytypes flask_clustaar --ignoreexternal >$(VENV)/types.log 2>&1 \
		|| { cat $(VENV)/types.log; exit 1; }
	@tail -n 3 $(VENV)/types.log

# '-E' reads unchanged pages again. Without it, the search loses their index entries.
docs: $(VENV)/installed/docs  ## Build the documentation: docs/_build/html
	@$(PY) -m sphinx -EnWq --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

check-docs: docs  ## Check the pages, links and search of the documentation, with Chromium
	@$(PY) docs/check.py

pictures: $(VENV)/installed/test  ## Create the pictures of the documentation, with Chromium
	@PYTHONPATH=docs $(PY) scripts/pictures.py

bench:  ## Measure the speed, compared with a plain view and other libraries
	@$(MAKE) apart/bench VENV=.venv-bench

# clustaar.webhook needs old libraries. If it cannot be installed, it is skipped.
apart/bench: $(VENV)/installed/bench
	@$(PY) -c 'import clustaar.webhook' 2>/dev/null \
		|| scripts/clustaar.webhook $(PY) >$(VENV)/clustaar.webhook.log 2>&1 || true
	@$(PY) -m benchmarks $(ARGS)

bench-deadline: $(VENV)/installed/test  ## Measure what a deadline adds to a request
	@$(PY) scripts/deadline_cost.py $(ARGS)

build: $(VENV)/installed/build  ## Build sdist and wheel, and check them: dist/
	@rm -rf build dist
	@$(PY) -m build --outdir dist . >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@$(PY) -m check_wheel_contents dist
	@$(PY) -m twine check --strict dist/*

mutation: $(VENV)/installed/mutation  ## Run mutation tests: break the code, and check that the tests fail
	@$(PY) -m mutmut run >$(VENV)/mutation.log 2>&1 || { tail -c 2000 $(VENV)/mutation.log; exit 1; }
	@$(PY) -m mutmut results

check:  ## Run all checks of continuous integration
	@.ci/run

clean:  ## Remove all generated files
	@rm -rf .venv .venv-* build dist *.egg-info docs/_build mutants .coverage* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

# Development mode, also for the workers of xdist. Without its memory checks, which are
# slow and only test extensions written in C. Modules are compiled once, and
# not by each process that a test starts.
DEV = PYTHONDEVMODE=1 PYTHONMALLOC=pymalloc PYTHONDONTWRITEBYTECODE= $(PY)
# Workers run the tests of whole modules, which share servers. An idle worker takes
# tests from another one.
PARALLEL = --numprocesses $(WORKERS) --dist worksteal

# Without Chromium, the tests of the inspector's page are skipped and not covered.
UNCOVERED = $(if $(shell command -v chromium),,--omit 'tests/*inspect*.py')

# -- installation --------------------------------------------------------------------

# If the Python of a virtual environment was removed, the environment is created again.
GONE := $(shell test -x $(PY) || rm -rf $(VENV)/installed)

PIP = $(PY) -m pip install --quiet --disable-pip-version-check
EXTRAS := async,jmespath,opentelemetry,prometheus,redis

$(PY):
	@python=$$(PYTHON="$(PYTHON)" scripts/pythons | head -n 1); \
	test -n "$$python" || exit 1; \
	echo "Making $(VENV) with $$("$$python" -V)"; \
	"$$python" -m venv --clear $(VENV)

# The package itself, editable, with all extras and one dependency group.
$(VENV)/installed/%: setup.py pyproject.toml flask_clustaar/_version.py $(CONSTRAINTS) | $(PY)
	@echo "Installing the dependencies of '$*'"
	@$(PIP) 'pip>=25.1'
	@$(PIP) $(CONSTRAINTS:%=--constraint %) $(UPSTREAM) --editable '.[$(EXTRAS)]' --group $*
	@mkdir -p $(@D)
	@touch $@
