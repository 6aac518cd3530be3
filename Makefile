# What a user or a contributor does most, one verb a line. `make` alone lists them.
TICKER ?= AAPL
SOURCE ?= auto
ARGS   ?=
# TensorFlow has builds for these versions of Python; the newest python3 of a machine may be none.
PYTHON ?= $(firstword $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python; done; true))

VENV     := .venv
BIN      := $(VENV)/bin
CORE     := $(VENV)/.core
DEV      := $(VENV)/.dev
# The environments are installed anew when one of these changes.
BUILT_OF := pyproject.toml constraints.txt hatch_build.py forecast/networks/fast/lstm.c
INSTALL  := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
FORECAST := $(BIN)/forecast

# The rivals bring heavy packages; they stay out of the environment that is worked in.
BENCH_VENV := .venv-bench
BENCH_BIN  := $(BENCH_VENV)/bin
BENCH      := $(BENCH_VENV)/.bench

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17
	@echo
	@echo "Settings: TICKER=$(TICKER) (several: TICKER=\"AAPL IBM\")  SOURCE=$(SOURCE)  ARGS=\"--network gru …\""

.PHONY: train
train: $(CORE)  ## Train TICKER, score it beside last close, draw the report
	@$(FORECAST) train $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: predict
predict: $(CORE)  ## Forecast the next sessions of TICKER with its trained network
	@$(FORECAST) predict $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: fetch
fetch: $(CORE)  ## Bring the bars of TICKER and say what is odd about them
	@$(FORECAST) fetch $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: evaluate
evaluate: $(CORE)  ## Walk forward over TICKER with several seeds, and trade on it
	@$(FORECAST) evaluate $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: compare
compare: $(CORE)  ## Compare all networks with several seeds and the baselines on TICKER
	@$(FORECAST) compare $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: tune
tune: $(CORE)  ## Search the settings for TICKER; train then uses the best: ARGS="--search tpe --trials 40"
	@$(FORECAST) tune $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: audit
audit: $(CORE)  ## Prove that nothing sees the future
	@$(FORECAST) audit $(TICKER) --source '$(SOURCE)' $(ARGS)

.PHONY: nightly
nightly: $(CORE)  ## Retrain, judge, promote and forecast, once a session: TICKER, or those of forecast.toml
	@$(FORECAST) nightly $(if $(findstring file,$(origin TICKER)),,$(TICKER)) $(if $(findstring file,$(origin SOURCE)),,--source '$(SOURCE)') $(ARGS)

.PHONY: schedule
schedule: $(CORE)  ## Show what would start the nights; ARGS=--install installs it
	@$(FORECAST) schedule $(ARGS)

.PHONY: doctor
doctor: $(CORE)  ## Say whether a night would go well here, and what to do if not
	@$(FORECAST) doctor $(ARGS)

.PHONY: install
install: $(CORE)  ## Make the virtual environment with what a user needs

.PHONY: test
test: $(DEV)  ## Run the test suite
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: test-all
test-all: $(DEV)  ## Run the test suite with the long trials
	@$(BIN)/python -m pytest -m "" $(ARGS)

.PHONY: check
check: $(DEV)  ## Lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: bench
bench: $(BENCH)  ## Time this program beside torch, Keras, darts and neuralforecast
	@$(BENCH_BIN)/python -m benchmarks.rivals.compare $(ARGS)

.PHONY: bench-textbook
bench-textbook: $(DEV)  ## Time this program beside the textbook script
	@$(BIN)/python benchmarks/against_textbook.py $(ARGS)

.PHONY: examples
examples: $(CORE)  ## Run the literature's own tasks: echo, subtraction, air, sentiment, stocks
	@for task in echo binary_subtraction air_quality sentiment ten_days textbook_stock vanishing_gradient; do \
	  echo "== $$task"; $(BIN)/python -m examples.$$task || exit 1; done

.PHONY: clean
clean:  ## Remove the environment and caches; data, models and reports stay
	rm -rf $(VENV) $(BENCH_VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed (TensorFlow has no build for others). None was found. Try: make PYTHON=/path/to/python3.13 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(CORE): $(BUILT_OF) | $(BIN)/python
	@echo "Installing into $(VENV) (once; about a minute) …" >&2
	@$(INSTALL) .
	@touch $@

$(DEV): $(BUILT_OF) | $(BIN)/python
	@echo "Installing into $(VENV) with the test tools (once; about a minute) …" >&2
	@$(INSTALL) '.[dev]'
	@touch $(CORE) $@

# torch first, by itself: pip then takes the build that this machine has been given.
$(BENCH): $(BUILT_OF)
	@echo "Installing into $(BENCH_VENV) with the rivals (once; some minutes) …" >&2
	@test -x $(BENCH_BIN)/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_BIN)/python -m pip install --quiet torch==2.13.0
	@$(BENCH_BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@
