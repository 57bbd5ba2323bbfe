# Everything there is to do here. Each target sets up what it needs: .venv is made with
# the first Python 3.11+ that is found, and what is installed is installed once.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run test lint format typing docs check-docs pictures bench build mutation clean \
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
# How many processes run the tests.
WORKERS := auto

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/installed/examples  ## Start the shop bot, ask it something, show what it answers
	@$(PY) scripts/demo.py

run: $(VENV)/installed/examples  ## Start the shop bot and leave it running, with a line of curl to ask it
	@$(PY) scripts/demo.py --stay

test: $(VENV)/installed/test  ## Run the suite in parallel, with coverage; or a part: ARGS="-k signature"
ifdef ARGS
	@$(DEV) -m pytest $(ARGS)
else
	@$(PY) -m coverage erase
	@$(DEV) -m coverage run -m pytest -p no:randomly $(PARALLEL) --ignore $(IN_A_BROWSER)
	@$(DEV) -m coverage run --concurrency thread,greenlet \
		-m pytest -p no:randomly $(PARALLEL) $(IN_A_BROWSER)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report $(UNCOVERED) >$(VENV)/coverage.log \
		|| { cat $(VENV)/coverage.log; exit 1; }
endif

test-min:  ## Run the suite with the lowest supported versions of the dependencies
	@$(MAKE) suite VENV=.venv-min CONSTRAINTS=requirements/lowest.txt PYTHON=python3.11

test-dev:  ## Run the suite on the development versions of Flask and Werkzeug
	@$(MAKE) suite VENV=.venv-dev UPSTREAM="$(PALLETS:%=https://github.com/pallets/%/archive/main.zip)"

test-all:  ## Run the suite on each CPython from 3.11 on that this machine has
	@scripts/pythons | { status=0; while read -r python; do \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		$(MAKE) suite VENV=.venv-$$version PYTHON="$$python" </dev/null || status=1; \
	done; exit $$status; }

test-wheel: build  ## Run the suite against the built wheel, outside of the checkout
	@scripts/test-wheel $(ARGS)

frozen: $(VENV)/installed/frozen  ## Freeze a bot with PyInstaller, and talk with it
	@$(DEV) -m pytest tests/apart/frozen.py $(ARGS)

neighbours:  ## Test the webhook beside other extensions
	@$(MAKE) apart/neighbours VENV=.venv-neighbours

apart/neighbours: $(VENV)/installed/neighbours
	@$(DEV) -m pytest tests/apart/neighbours.py $(ARGS)

engines:  ## Test background work with Celery, RQ and others, and deadlines on servers that stop
	@$(MAKE) apart/engines VENV=.venv-engines

apart/engines: $(VENV)/installed/engines
	@$(DEV) -m pytest tests/apart/engines.py tests/apart/stopping.py $(ARGS)

attack:  ## Attack bots on many servers, and print the figures of docs/run/security.rst: 20 minutes
	@$(MAKE) apart/attack VENV=.venv-attack

attack-short:  ## Attack them for some minutes: all but the browser and the soak test
	@$(MAKE) attack ARGS="odd forged kills redis"

# ARGS="kills soak" runs some of them.
apart/attack: $(VENV)/installed/attack
	@PYTHONPATH=tests:tests/apart $(PY) -m attack $(ARGS)

# In random order: pytest prints the seed, and `ARGS="--randomly-seed=N"` repeats it.
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

docs: $(VENV)/installed/docs  ## Build the documentation: docs/_build/html
	@$(PY) -m sphinx -nWq --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

check-docs: docs  ## Check each page, link and search of the documentation, in chromium
	@$(PY) docs/check.py

pictures: $(VENV)/installed/test  ## Draw the pictures of the documentation, in chromium
	@PYTHONPATH=docs $(PY) scripts/pictures.py

bench: $(VENV)/installed/bench  ## Measure the speed, next to a hand-written view and other libraries
	@$(PY) -m benchmarks $(ARGS)

build: $(VENV)/installed/build  ## Build sdist and wheel, and check them: dist/
	@rm -rf build dist
	@$(PY) -m build --outdir dist . >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@$(PY) -m check_wheel_contents dist
	@$(PY) -m twine check --strict dist/*

mutation: $(VENV)/installed/mutation  ## Break the code on purpose, and see if the suite notices
	@$(PY) -m mutmut run >$(VENV)/mutation.log 2>&1 || { tail -c 2000 $(VENV)/mutation.log; exit 1; }
	@$(PY) -m mutmut results

check:  ## Do all that continuous integration does
	@.ci/run

clean:  ## Remove all that was made here
	@rm -rf .venv .venv-* build dist *.egg-info docs/_build mutants .coverage* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

# Development mode, for the workers of xdist as well; without its checks of memory,
# which take long and are about extensions written in C. Modules are compiled once, and
# not by each process that a test starts.
DEV = PYTHONDEVMODE=1 PYTHONMALLOC=pymalloc PYTHONDONTWRITEBYTECODE= $(PY)
# A worker that has nothing left takes tests from another one. Before, it has the tests
# of whole modules, which share their servers.
PARALLEL = --numprocesses $(WORKERS) --dist worksteal

# Playwright switches between greenlets. To follow them makes coverage slow, so only the
# tests that need it are run like this.
IN_A_BROWSER = tests/test_inspector_page.py

# Without Chromium the tests of the inspector's page are skipped, and not covered.
UNCOVERED = $(if $(shell command -v chromium),,--omit 'tests/*inspect*.py')

# -- what is installed ---------------------------------------------------------------

# A virtual environment whose Python has gone is made anew, with all that was in it.
GONE := $(shell test -x $(PY) || rm -rf $(VENV)/installed)

PIP = $(PY) -m pip install --quiet --disable-pip-version-check
EXTRAS := async,jmespath,opentelemetry,prometheus,redis

$(PY):
	@python=$$(PYTHON="$(PYTHON)" scripts/pythons | head -n 1); \
	test -n "$$python" || exit 1; \
	echo "Making $(VENV) with $$("$$python" -V)"; \
	"$$python" -m venv --clear $(VENV)

# The package itself, editable, with all of its extras and one of the dependency groups.
$(VENV)/installed/%: setup.py pyproject.toml flask_clustaar/_version.py $(CONSTRAINTS) | $(PY)
	@echo "Installing what '$*' needs"
	@$(PIP) 'pip>=25.1'
	@$(PIP) $(CONSTRAINTS:%=--constraint %) $(UPSTREAM) --editable '.[$(EXTRAS)]' --group $*
	@mkdir -p $(@D)
	@touch $@
