# Two commands: `make demo` and `make test`. Each does all of its set-up; nothing else is needed.

VENV := .venv
BIN := $(VENV)/bin
# Any Python of 3.11 or newer, the oldest one first.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$p; break; }; done)

.PHONY: demo test validate evidence real-calls lint dashboards dashboard-types pictures handbook docs bench \
	matrix fuzz mutants up down format clean python-packages speech measures monitoring-tools \
	pictures-tools

demo: $(VENV)/.installed speech ## Place twenty calls, print their scores, and the gauge
	@$(BIN)/ai-engine-quality demo $(ARGS)

test: $(VENV)/.installed speech monitoring-tools dashboard-types lint ## Everything that must hold
	@$(BIN)/python -m pytest $(ARGS)

validate: $(VENV)/.installed speech ## Judge the twenty calls, and remake docs/Validation-Report.md
	@$(BIN)/ai-engine-quality validate --markdown docs/Validation-Report.md \
		--html docs/Validation-Report.html $(ARGS)

# Beside the tests: it needs the engine's tree, and a quarter of an hour of real time.
real-calls: $(VENV)/.installed speech ## Real calls on the unedited engine: AVA_ROOT=its tree
	@[ -n "$(AVA_ROOT)" ] || { echo "give the engine's tree: make real-calls AVA_ROOT=..." >&2; \
	exit 2; }
	@PYTHONPATH=lab $(BIN)/python -m ai_engine_lab.real_calls --ava-root "$(AVA_ROOT)" $(ARGS)

lint: $(VENV)/.installed ## Style, types, and the architecture's contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

dashboards: $(VENV)/.installed ## Write grafana/dashboards from grafana/src
	@PYTHONPATH=grafana/src $(BIN)/python -m ai_engine_dashboards grafana/dashboards

# Not part of the tests: it needs a browser and some minutes.
pictures: $(VENV)/.installed speech monitoring-tools pictures-tools \
	grafana/pictures/node_modules/.package-lock.json ## Draw docs/img from live data
	@cd grafana/pictures && npm run --silent build
	@PYTHONPATH=grafana/pictures $(BIN)/python -m ai_engine_pictures $(ARGS)

# npm writes this file when it is through.
grafana/pictures/node_modules/.package-lock.json: grafana/pictures/package-lock.json
	@cd grafana/pictures && npm ci --silent
	@touch $@

handbook: $(VENV)/.installed ## Write the tables in docs/ from policy, registry, dashboards, alerts
	@PYTHONPATH=tools:grafana/src $(BIN)/python -m handbook

docs: $(VENV)/.installed ## The handbook as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

bench: $(VENV)/.installed ## What the library costs, as ratios in one run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@$(BIN)/python tests/benchmarks $(ARGS)

matrix: ## The built wheel on every Python that is here, with the oldest and the newest dependencies
	@python3 tools/test-matrix $(ARGS)

fuzz: $(VENV)/.installed ## Fuzz the public API for ten minutes, led by coverage; Python 3.11 to 3.13
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group fuzz
	@$(BIN)/python tests/reliability/fuzz_api.py -max_total_time=600 $(ARGS)

mutants: $(VENV)/.installed ## Mutants of what decides a score, and which of them survive its tests
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group mutants
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

up: ## Prometheus, Alertmanager and Grafana, by Docker Compose
	@sh tools/monitoring-up $(ARGS)

down: ## Stop them; their data stay
	@sh tools/monitoring-down

# ARGS=--measure plays and measures every sample anew, for some minutes; else from those measured.
evidence: $(VENV)/.installed $(if $(findstring --measure,$(ARGS)),speech measures) ## Does the score mean anything?
	@$(BIN)/ai-engine-quality evidence --document docs/Evidence.md $(ARGS)

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist site mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Made anew when what it installs changes.
$(VENV)/.installed: pyproject.toml
	@if [ -z "$(PYTHON)" ]; then $(MAKE) --no-print-directory python-packages; fi
	@sh tools/make-venv $(VENV) $(PYTHON)
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
	&& $(BIN)/python -m pip install --quiet --editable '.[measuring]'; }

# The tests run the real Prometheus, Alertmanager and VictoriaMetrics.
monitoring-tools:
	@sh tools/need-debian prometheus prometheus-alertmanager victoria-metrics -- \
		sh -c 'command -v promtool && command -v amtool && command -v prometheus-alertmanager \
		&& command -v victoria-metrics'

# Draw, and make the pictures small; npm brings Grafana's components.
pictures-tools:
	@sh tools/need-debian chromium -- command -v chromium
	@sh tools/need-debian pngquant -- command -v pngquant
	@sh tools/need-debian nodejs npm -- command -v npm

# Grafana's own types, by npm. Where they can't be had, that one test says so and is skipped.
dashboard-types:
	@sh tools/need-debian --optional nodejs npm -- sh -c 'command -v node && command -v npm'
	@cd grafana/types && { [ -d node_modules ] || ! command -v npm >/dev/null || npm ci --silent \
	|| echo "could not fetch Grafana's types; going on without" >&2; }
