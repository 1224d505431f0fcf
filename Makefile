# Two commands for a newcomer: `make run` and `make test`. Both set up what they need first.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
SETUP := .venv/.ready

.PHONY: help setup run test conformance check lint types docs docs-check lock-check build bench bench-peer lock clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/' | expand -t 14

setup: $(SETUP) ## Make .venv from the hashed lock (Python 3.13 by uv or on PATH)

$(SETUP): requirements/dev.txt requirements/emulator.txt pyproject.toml scripts/setup
	@scripts/setup

run: $(SETUP) ## Run the main job on the built-in lab: no AWS account, no root, no network
	@.venv/bin/egressprobe demo

test: $(SETUP) build/probe/.ready ## Run the tests, those in network namespaces where the machine can
	@scripts/isolated $(PYTHON) -m pytest $(ARGS)

conformance: $(SETUP) ## The recorded kube-apiserver verdicts on real servers, with a table of agreement
	@EGRESSPROBE_REQUIRE_ALL=1 scripts/isolated $(PYTHON) -m pytest -q tests/test_vectors_wire.py tests/test_vectors_tls.py

check: $(SETUP) build/probe/.ready lint types docs-check lock-check ## Everything CI runs; ALLOW_SKIP=1 where namespaces are missing
	@EGRESSPROBE_REQUIRE_ALL=1 scripts/isolated $(PYTHON) -m pytest $(ARGS)

lint: $(SETUP)
	@.venv/bin/ruff check . && .venv/bin/ruff format --check -q .

types: $(SETUP)
	@.venv/bin/mypy

docs: $(SETUP) ## Generate docs/findings.md and the README's table from the catalogue
	@$(PYTHON) scripts/docs.py

docs-check: $(SETUP)
	@$(PYTHON) scripts/docs.py --check

lock-check: $(SETUP)
	@$(PYTHON) scripts/lockcheck.py

build: build/probe/.ready ## Build the Probe's artifact for this machine's architecture

build/probe/.ready: $(SETUP) src/requirements.txt $(shell find src/egressprobe -name '*.py') scripts/build.py
	@$(PYTHON) scripts/build.py

bench: $(SETUP) ## Wall, CPU, memory and honesty of times on loopback, with figures
	@$(PYTHON) bench/bench.py $(ARGS)

bench-peer: $(SETUP) ## Side by side with blackbox_exporter (Debian: prometheus-blackbox-exporter), with figures
	@scripts/isolated $(PYTHON) bench/peer.py

lock: ## Renew the locks (needs uv)
	@uv pip compile pyproject.toml --extra cli --extra dev --python-version 3.13 --universal --generate-hashes -q -U \
	  -o requirements/dev.txt --custom-compile-command "make lock"
	@uv pip compile pyproject.toml --python-version 3.13 --universal --generate-hashes -q \
	  -c requirements/dev.txt -o src/requirements.txt --custom-compile-command "make lock"

clean: ## Remove what was built and installed here
	@rm -rf .venv .tools build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
