# What people run. Everything happens inside .venv, made here from pinned names, versions and hashes; nothing else on the machine changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz torture simulate simulate-bugs shots pictures pins clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --progress-bar off

# The first of these that starts and is new enough; `make PYTHON=/path/to/python …` chooses another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)

help:  ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.for-demo  ## stream the real COVID-19 relief data through the coordinator and compare with two rivals
	$(BIN)/coordinator demo

test: check  ## the static gate, then every test
	@echo "== the broker that tests run on"
	@deploy/kafka/local fetch || echo "== NOT TESTED below: Apache Kafka" >&2
	@echo "== every test"
	$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

check: $(VENV)/.for-test  ## the static gate: lint, format, types, layers, pages
	@echo "== lint"
	$(BIN)/ruff check .
	@echo "== format"
	$(BIN)/ruff format --check .
	@echo "== types"
	$(BIN)/mypy
	@echo "== layers and pages"
	$(BIN)/python -m pytest --quiet tests/test_layers.py tests/test_pages.py

bench: $(VENV)/.for-test  ## measure: each program of tests/benchmarks, one after another (`make bench SHORT=--short`: each small, to see that it runs)
	$(BIN)/python -m tests.benchmarks $(SHORT)

fuzz: $(VENV)/.for-test  ## answer 100 000 small questions by several solvers and compare (`make fuzz FIRST=100000` takes the next ones)
	$(BIN)/python -m tests.solver.fuzz --first $(or $(FIRST),0)

simulate: $(VENV)/.for-test  ## run seeded schedules in which everything fails that can (`make simulate SEEDS=0:5000 JOBS=2`)
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),0:1000) --jobs $(or $(JOBS),1)

simulate-bugs: $(VENV)/.for-test  ## show that the simulation finds every planted bug, within 1 000 seeds each
	$(BIN)/python -m tests.simulation --bugs --seeds $(or $(SEEDS),0:1000)

torture: $(VENV)/.for-test  ## kill, pause and cut off coordinators on Apache Kafka and on Tansu; judge the raw topics (EVENTS=100000 KILLS=100 BROKERS="apache tansu")
	@set -e; for each in $(or $(BROKERS),apache tansu); do \
		$(BIN)/python -m tests.torture --broker $$each --events $(or $(EVENTS),100000) --kills $(or $(KILLS),100); done

shots: $(VENV)/.for-test  ## take pictures of every view of the page in every form, to look at (in the folder shots; needs Chromium)
	$(BIN)/python -m tests.page.shots

pictures: $(VENV)/.for-test  ## make the README's pictures of the page anew (needs Chromium)
	$(BIN)/python -m tests.page.pictures

clean:  ## remove .venv, caches and build products
	rm -rf $(VENV) .venv-pins build dist shots .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find coordinator connectors solver tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; fi
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "This Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# The build backend is pinned like the rest, hence --no-build-isolation; --no-deps, so that a pin that is missing is seen and not filled in.
define install
	@echo "== installing the packages pinned in requirements/$(1) (a few minutes the first time)"
	@$(PIP) --require-hashes --no-deps -r requirements/build.txt
	@$(PIP) --require-hashes --no-deps -r requirements/$(1)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip --disable-pip-version-check check
endef

$(VENV)/.for-demo: requirements/build.txt requirements/demo.txt pyproject.toml | $(BIN)/python
	$(call install,demo.txt)
	@touch $@

$(VENV)/.for-test: requirements/build.txt requirements/test.txt pyproject.toml | $(BIN)/python
	$(call install,test.txt)
	@touch $@ $(VENV)/.for-demo

# Pins are resolved with the oldest Python served, from the widest set to the narrower ones, so that all of them agree.
# Versions already pinned stay; `make pins UPGRADE=--upgrade` takes the newest that pyproject.toml allows.
UPGRADE ?=
PINS = ../.venv-pins/bin/pip-compile --quiet --generate-hashes --strip-extras $(UPGRADE) \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

pins:  ## write requirements/*.txt anew from pyproject.toml (needs python3.11)
	@test -x .venv-pins/bin/pip-compile || { python3.11 -m venv .venv-pins && .venv-pins/bin/pip install --quiet 'pip-tools>=7.6,<8'; }
	cd requirements && export CUSTOM_COMPILE_COMMAND="make pins" \
	&& $(PINS) --extra demo --extra fast --extra test --output-file test.txt ../pyproject.toml \
	&& $(PINS) --extra demo --constraint test.txt --output-file demo.txt ../pyproject.toml \
	&& $(PINS) --constraint test.txt --output-file run.txt ../pyproject.toml \
	&& $(PINS) --constraint test.txt --output-file build.txt build.in
