# `make` lists what can be made. Each target does its own set-up; nothing else is needed.

VENV := .venv
BIN := $(VENV)/bin
# Pipecat and LiveKit Agents weigh 850 MB: a place of their own, and no part of `make test`.
FRAMEWORKS := .venv-frameworks
# Per cent of the library's lines and branches that `make unit` must run.
COVERED := 92
# One process for each core; a file's tests stay together, as they share what it has set up, and
# files begin in their order.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder
# Any Python of 3.11 or newer, the oldest one first.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint format docs handbook dashboards pictures validate evidence \
	real-calls bench \
	matrix frameworks three-engines fuzz mutants up down build lock clean python-packages speech measures monitoring-tools \
	browser pictures-tools dashboard-types

help: ## What can be made
	@sed -nE 's/^([a-z][a-z-]*):[^#]*## (.*)/\1	\2/p' $(MAKEFILE_LIST) | sort \
	| awk -F '\t' '{ printf "  make %-16s %s\n", $$1, $$2 }'

# Where the developers' tools are there already, they have all that it needs.
demo: $(or $(wildcard $(VENV)/.installed),$(VENV)/.demo) speech ## Place twenty calls, print their scores, and the gauge
	@$(BIN)/ai-engine-quality demo $(ARGS)

# What runs in real time mostly waits: the rest runs beside it, a process for each core, and gets the
# time that it leaves. With ARGS, one process runs what they name.
REAL_TIME_LOG := build/tests-in-real-time.log
test: $(VENV)/.installed speech monitoring-tools browser dashboard-types lint ## Everything that must hold
	@mkdir -p $(dir $(REAL_TIME_LOG))
	@$(if $(strip $(ARGS)),$(BIN)/python -m pytest $(ARGS),failed=0; \
	echo "in the background: the tests in real time; what they print comes last" >&2; \
	$(BIN)/python -m pytest -m real_time tests >$(REAL_TIME_LOG) 2>&1 & \
	nice -n 19 $(BIN)/python -m pytest $(SPREAD) -m "not real_time" || failed=$$?; \
	wait $$! || failed=$$?; cat $(REAL_TIME_LOG); exit $$failed)

# The library's own tests, for a first look at a change. Nothing of Debian's is installed, and what
# needs it is left out. One process for each core; ARGS="-n 0" for one alone, as a debugger needs it.
unit: $(VENV)/.installed ## The library's tests without system packages, and how much they cover
	@$(BIN)/python -m pytest -q $(SPREAD) -m "not system and not slow" \
		--cov --cov-fail-under=$(COVERED) \
		$(patsubst %,tests/%,adapters cli core history live properties sinks) tests/test_*.py $(ARGS)

validate: $(VENV)/.installed speech ## Judge the twenty calls, and remake docs/Validation-Report.md
	@$(BIN)/ai-engine-quality validate --markdown docs/Validation-Report.md \
		--html docs/Validation-Report.html --real-calls docs/data/real-calls.md $(ARGS)

# Beside the tests: it needs the engine's tree, and a quarter of an hour of real time.
real-calls: $(VENV)/.installed speech ## Real calls on the unedited engine: AVA_ROOT=its tree
	@[ -n "$(AVA_ROOT)" ] || { echo "give the engine's tree: make real-calls AVA_ROOT=..." >&2; \
	exit 2; }
	@$(BIN)/python -m ai_engine_lab.real_calls --ava-root "$(AVA_ROOT)" --out build/real-calls $(ARGS)
	@echo "For the validation report: cp build/real-calls/summary.md docs/data/real-calls.md"

lint: $(VENV)/.installed ## Style, types, and the architecture's contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

dashboards: $(VENV)/.installed ## Write the dashboards' JSON from grafana/src
	@PYTHONPATH=grafana/src $(BIN)/python -m ai_engine_dashboards grafana/dashboards grafana/dashboards-v2

# Not part of the tests: it needs a browser and some minutes.
pictures: ## Draw docs/img from live data
pictures: $(VENV)/.installed speech monitoring-tools pictures-tools \
	grafana/pictures/node_modules/.package-lock.json
	@cd grafana/pictures && npm run --silent build
	@PYTHONPATH=grafana/pictures $(BIN)/python -m ai_engine_pictures $(ARGS)

# npm writes this file when it is through.
grafana/pictures/node_modules/.package-lock.json: grafana/pictures/package-lock.json
	@echo "installing Grafana's components by npm, of grafana/pictures/package-lock.json" >&2
	@cd grafana/pictures && npm ci --silent
	@touch $@

handbook: $(VENV)/.installed ## Write the tables in docs/ from policy, registry, dashboards, alerts
	@PYTHONPATH=tools:grafana/src $(BIN)/python -m handbook

docs: $(VENV)/.installed ## The handbook as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

bench: $(VENV)/.installed ## What the library costs, as ratios in one run
	@sh tools/install-group $(BIN)/python bench
	@$(BIN)/python tests/benchmarks $(ARGS)

matrix: ## The wheel on every Python that is here, with the oldest and the newest dependencies
	@python3 tools/test-matrix $(ARGS)

frameworks: $(FRAMEWORKS)/.installed speech ## Real calls through Pipecat and LiveKit Agents, offline
	@$(FRAMEWORKS)/bin/python -m pytest tests/frameworks $(ARGS)

# With AVA_ROOT, `make frameworks` does so too.
three-engines: $(FRAMEWORKS)/.installed speech ## The same calls on AVA, Pipecat and LiveKit: AVA_ROOT=its tree
	@[ -n "$(AVA_ROOT)" ] || { echo "give the engine's tree: make three-engines AVA_ROOT=..." >&2; \
	exit 2; }
	@$(FRAMEWORKS)/bin/python tests/frameworks/three_engines.py --ava-root "$(AVA_ROOT)" $(ARGS)

fuzz: $(VENV)/.installed ## Fuzz the public API for ten minutes, led by coverage; Python 3.11 to 3.13
	@sh tools/install-group $(BIN)/python fuzz
	@$(BIN)/python tests/reliability/fuzz_api.py -max_total_time=600 $(ARGS)

mutants: $(VENV)/.installed ## Mutants of what decides a score, and which of them survive its tests
	@sh tools/install-group $(BIN)/python mutants
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

up: ## Prometheus, Alertmanager and Grafana, by Docker Compose
	@sh tools/monitoring-up $(ARGS)

down: ## Stop the monitoring stack; its data stay
	@sh tools/monitoring-down

# ARGS=--measure plays and measures every sample anew, for some minutes; else from those measured.
evidence: $(VENV)/.installed $(if $(findstring --measure,$(ARGS)),speech measures) ## Does the score mean anything?
	@$(BIN)/ai-engine-quality evidence $(ARGS)
	@PYTHONPATH=tools:grafana/src $(BIN)/python -m handbook
	@PYTHONPATH=tools:grafana/src $(BIN)/python -m handbook.evidence_plots docs/img

lock: $(VENV)/.installed ## Resolve tools/requirements.lock; ARGS=--upgrade takes newer versions
	@sh tools/install-group $(BIN)/python lock
	@$(BIN)/python tools/lock $(ARGS)

build: $(VENV)/.installed ## Both distributions' wheels and sources, in dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python -m build --no-isolation --wheel --outdir dist lab

format: $(VENV)/.installed ## Fix and format by ruff
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove what was made, the environment included
	rm -rf $(VENV) $(FRAMEWORKS) build dist site mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Made anew when what it installs changes.
$(VENV)/.installed: pyproject.toml lab/pyproject.toml tools/requirements.lock
	@if [ -z "$(PYTHON)" ]; then $(MAKE) --no-print-directory python-packages; fi
	@sh tools/make-venv $(VENV) $(PYTHON)
	@touch $@

# A fifth of it: what the demo needs, and nothing else.
$(VENV)/.demo: pyproject.toml lab/pyproject.toml tools/requirements.lock tools/demo-packages
	@if [ -z "$(PYTHON)" ]; then $(MAKE) --no-print-directory python-packages; fi
	@sh tools/make-venv $(VENV) $(PYTHON) demo
	@touch $@

# The newest releases within the extras' ranges: they change every week, and no lock keeps up.
$(FRAMEWORKS)/.installed: pyproject.toml lab/pyproject.toml
	@if [ -z "$(PYTHON)" ]; then $(MAKE) --no-print-directory python-packages; fi
	@echo "installing into $(FRAMEWORKS): this checkout, Pipecat and LiveKit Agents (850 MB)" >&2
	@$(PYTHON) -m venv $(FRAMEWORKS)
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --editable '.[cli,pipecat,livekit]' \
		--editable ./lab --group test
	@touch $@

python-packages:
	@sh tools/need-debian python3 python3-venv -- python3 -c 'import venv, ensurepip'

# Real telephone speech; without it the demo synthesises some, and says so.
speech:
	@sh tools/need-debian --optional asterisk-core-sounds-en-wav -- \
		test -d /usr/share/asterisk/sounds/en_US_f_Allison

# PESQ is compiled: it needs a compiler and Python's headers.
measures: $(VENV)/.installed
	@$(BIN)/python -c 'import pesq, visqol, numba, ai_edge_litert' 2>/dev/null || { \
	sh tools/need-debian gcc libc6-dev python3-dev -- $(BIN)/python -c \
	'import shutil, sysconfig, pathlib, sys; sys.exit(not (shutil.which("gcc") and \
	pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()))' \
	&& $(BIN)/python -m pip install --quiet --editable . --editable './lab[measuring]'; }

# The tests run the real Prometheus, Alertmanager and VictoriaMetrics.
monitoring-tools:
	@sh tools/need-debian prometheus prometheus-alertmanager victoria-metrics -- \
		sh -c 'command -v promtool && command -v amtool && command -v prometheus-alertmanager \
		&& command -v victoria-metrics'

# Pages are laid out by a real browser.
browser:
	@sh tools/need-debian chromium -- command -v chromium

# Draw, and make the pictures small; npm brings Grafana's components.
pictures-tools: browser
	@sh tools/need-debian pngquant -- command -v pngquant
	@sh tools/need-debian nodejs npm -- command -v npm

# Grafana's own types, by npm. Where they can't be had, that test is skipped; in CI it fails.
dashboard-types:
	@sh tools/need-debian --optional nodejs npm -- sh -c 'command -v node && command -v npm'
	@cd grafana/types && { [ -d node_modules ] || ! command -v npm >/dev/null \
	|| { echo "installing Grafana's types by npm, of grafana/types/package-lock.json" >&2; npm ci --silent; } \
	|| echo "could not fetch Grafana's types; going on without" >&2; }
