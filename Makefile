# What a developer does every day. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 180
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo up test bench bench-short chaos chaos-short fuzz quality crowd screens train lint types format tools schemas lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(STAMP) ## makes .venv with the command .venv/bin/tocsin, from the lock

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tocsin needs Python 3.11 or newer; set PYTHON=... to one")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## everything on this machine, with messages that play along, until Ctrl-C
	$(BIN)/tocsin demo

up: setup ## the same stack, waiting for your messages
	$(BIN)/tocsin up

test: setup tools ## all tests, on real Kafka, the real ClickHouse engine and a real browser
	$(BIN)/python -m pytest -n 3 --dist worksteal

bench: setup ## how fast, beside other ways to build it; writes docs/bench
	$(BIN)/python -m tests.bench --out docs/bench

bench-short: setup ## throughput alone, of few messages, for its ratios; writes nothing
	$(BIN)/python -m tests.bench --short --only contenders

chaos: setup ## everything that can die dies, 100 rounds; every record accounted for; writes docs/chaos
	$(BIN)/python -m tests.chaos --out docs/chaos

chaos-short: setup ## two small rounds of it; writes nothing
	$(BIN)/python -m tests.chaos --short --rounds 2

fuzz: setup ## every decoder, the policy and the HTTP doors, FUZZ_SECONDS of CPU each (180: an hour)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	for target in $$($(BIN)/python -m tests.fuzz); do $(BIN)/python -m tests.fuzz $$target --seconds $(FUZZ_SECONDS) || exit 1; done

tools:
	@sh tests/tools.sh

crowd: setup ## waves put into real background: what crowd finds, beside ordinary detectors; writes docs/incidents
	$(BIN)/python -m tests.crowd --out docs/incidents

screens: setup tools ## pictures of every page of the console, as the demo fills them; writes docs/screens
	$(BIN)/python -m tests.screens --out docs/screens

quality: setup ## how well it judges, beside ordinary tools; TOCSIN_CORPUS adds real sets; writes docs/quality
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/quality.txt
	$(BIN)/python -m tests.quality --out docs/quality

train: setup ## the base that ships, anew; needs TOCSIN_CORPUS; some minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/train.txt
	$(BIN)/tocsin train --out agents/scoring/data/base.tocsin --page docs/base.md
	$(BIN)/python -m agents.training.answers --out agents/history/data/answers.json
	$(BIN)/python -m agents.training.meaning --out agents/incidents/data/words.tocsin

lint: setup ## style, and generated files that drifted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m schemas.generate --check

types: setup ## strict typing of code and tests
	$(BIN)/mypy

format: setup ## puts style right where a machine can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: setup ## writes JSON Schema and AsyncAPI anew
	$(BIN)/python -m schemas.generate

lock: ## resolves requirements/*.txt anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --group dev -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --extra notify -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml --group bench -o requirements/bench.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:fuzz -o requirements/fuzz.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:quality -o requirements/quality.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-deps --group pyproject.toml:train -o requirements/train.txt

clean: ## removes .venv and what tools left
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
