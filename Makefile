# The two commands: `make demo` (try it) and `make test` (everything from a plain clone).
# `make help` lists the rest. Nothing is needed but Python 3.11 or newer with venv and pip.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input --prefer-binary \
	--constraint constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint style types imports format bench lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo  ## build the bundled sample archives and serve them on 127.0.0.1 (PORT=8000)
	@exec $(VENV)/bin/parfocal demo --port $(PORT)

test: $(VENV)/.dev  ## run every test that this machine can run (ARGS= goes to pytest)
	@exec $(RUN) -m pytest $(ARGS)

lint: style types imports  ## check style, types and import rules

style: $(VENV)/.dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.dev
	$(RUN) -m mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev  ## put code into the project's format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/.dev  ## measure speed and memory against the bare libraries (ARGS= goes to the benchmark)
	$(RUN) bench/pipeline.py $(ARGS)

lock:  ## resolve all dependencies anew and write constraints.txt
	bash .ci/lock $(PYTHON)

clean:  ## remove the environment, caches and the demo's data
	rm -rf $(VENV) demo-data build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made once; a stamp says which extras are in it, and is remade when they change.
$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "parfocal needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.demo: pyproject.toml constraints.txt | $(RUN)
	@echo "installing parfocal and what it needs (once)"
	@$(INSTALL) --no-compile setuptools
	@$(INSTALL) --no-compile --no-build-isolation --editable '.[hdf5,images,publish]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(RUN)
	@echo "installing parfocal, its extras and the development tools (once)"
	@$(INSTALL) setuptools
	@$(INSTALL) --no-build-isolation --editable '.[all,dev]'
	@touch $@ $(VENV)/.demo
