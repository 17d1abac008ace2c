# Targets call `python -m …`; all logic is there. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

SCENARIO ?= scenarios/flash_crowd.toml
QUICK_SWEEP := --clients 2,8,32 --repeats 1
MEASURE = $(PY) -m loadtests run $(SCENARIO) \
  $(if $(QUICK),$(QUICK_SWEEP)) \
  $(if $(FILE),--file "$(FILE)") $(if $(CLIENTS),--clients $(CLIENTS)) \
  $(if $(REPEATS),--repeats $(REPEATS)) $(if $(SEED),--seed $(SEED)) $(if $(OUT),--output "$(OUT)")

.DEFAULT_GOAL := help
.PHONY: help setup bench simulate agreement dashboard report compare benchmarks test check format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything that is needed; the other targets do it by themselves

$(READY): requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(READY)

bench: $(READY) ## the main job: both architectures, live, over the sweep of N [SCENARIO FILE CLIENTS REPEATS SEED OUT QUICK=1]
	@$(MEASURE) --world live

simulate: $(READY) ## the same in the simulated world [same variables]
	@$(MEASURE) --world simulated

agreement: $(READY) ## one scenario live and simulated, side by side [same variables]
	@$(MEASURE) --agreement

dashboard: $(READY) ## Locust's page with the comparison's own tab, until Ctrl-C [same variables, PORT=8089]
	@$(subst loadtests run,loadtests dashboard,$(MEASURE)) $(if $(PORT),--port $(PORT))

report: $(READY) ## rebuild the report from raw data [RUN=results/…, by default the latest]
	@$(PY) -m analysis report $(if $(RUN),"$(RUN)")

compare: $(READY) ## two runs, point by point [BASE=results/… NEW=results/… FAIL_IF_SLOWER=5%]
	@$(PY) -m analysis compare "$(BASE)" "$(NEW)" $(if $(FAIL_IF_SLOWER),--fail-if-slower "$(FAIL_IF_SLOWER)")

benchmarks: $(READY) ## micro-benchmarks of the hot paths
	$(PY) -m pytest benchmarks -o python_files='bench_*.py' --benchmark-only -q

test: $(READY) ## all tests
	$(PY) -m pytest -n 2 --dist loadscope

check: $(READY) ## format, lint, types, tests
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(MAKE) --no-print-directory test

format: $(READY) ## put the code into the project's format
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean: ## remove what the above made, results/published excepted
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find results -mindepth 1 -maxdepth 1 ! -name published ! -name README.md -exec rm -rf {} +
