# Two commands for a newcomer: `make run` and `make test`. Both set up what they need first.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# The tests start Python some hundred times: without bytecode each compiles the project again.
unexport PYTHONDONTWRITEBYTECODE
SETUP := .venv/.ready

.PHONY: help setup run test fuzz conformance e2e check lint types docs docs-check screenshots lock-check template build bench bench-audit bench-discovery \
  bench-peer coldstart dist zipapp deployable deploy destroy fleet fleet-file fleet-dashboard drill invoke package packageable roles price lock clean

# Arguments of the targets below: make deploy CLUSTER=prod TARGETS=targets.yaml
ARCH := arm64
HOST_ARCH := $(subst aarch64,arm64,$(shell uname -m))
STACK_TOOL := $(PYTHON) -m egressprobe.stack
STACK_OPTIONS := $(if $(STACK),--stack $(STACK)) $(if $(REGION),--region $(REGION)) $(if $(YES),--yes)

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ line = sprintf("%-16s", $$1); many = split($$2, words, " "); \
	  for (i = 1; i <= many; i++) { if (length(line words[i]) > 79) { print line; line = sprintf("%16s", "") } \
	  line = line words[i] " " } print line }'

setup: $(SETUP) ## Make .venv from the hashed lock (Python 3.13 by uv or on PATH)

$(SETUP): requirements/dev.txt requirements/emulator.txt pyproject.toml scripts/setup
	@scripts/setup

run: $(SETUP) ## Run the main job on the built-in lab: no AWS account, no root, no network
	@.venv/bin/egressprobe demo

# Three workers also where there are two cores: many tests wait for a timeout.
test: $(SETUP) build/probe/.ready ## Run the tests, those in network namespaces where the machine can
	@scripts/isolated $(PYTHON) -m pytest -q -n 3 $(ARGS)

fuzz: $(SETUP) ## Random hostile input, SECONDS (30) for each class; a seed that fails is kept in tests/fuzz/seeds
	@EGRESSPROBE_FUZZ_SECONDS=$(or $(SECONDS),30) scripts/isolated $(PYTHON) -m pytest -q -n 2 --timeout=0 tests/fuzz $(ARGS)

conformance: $(SETUP) ## The recorded kube-apiserver verdicts on real servers, with a table of agreement; LIMBO=FILE: x509-limbo too
	@EGRESSPROBE_REQUIRE_ALL=1 scripts/isolated $(PYTHON) -m pytest -q tests/probe/test_vectors_wire.py tests/probe/test_vectors_tls.py
	@$(PYTHON) scripts/limbo.py $(LIMBO)

e2e: .tools/e2e/.ready ## The stack deployed in an emulated AWS account, on network namespaces: every page with its time (10 minutes)
	@$(PYTHON) scripts/build.py --arch $(HOST_ARCH)
	@scripts/e2e $(ARGS)

check: $(SETUP) build/probe/.ready build/dist/.ready .tools/browser/.ready lint types docs-check lock-check template ## Everything CI runs; ALLOW_SKIP=1 where namespaces are missing
	@EGRESSPROBE_REQUIRE_ALL=1 EGRESSPROBE_FUZZ_TIMES=6 scripts/isolated $(PYTHON) -m pytest -q -n 3 $(ARGS)

lint: $(SETUP)
	@.venv/bin/ruff check . && .venv/bin/ruff format --check -q .

types: $(SETUP)
	@.venv/bin/mypy

docs: $(SETUP) ## Generate docs/findings.md, the Terraform module, the transcripts and the picture of the packages
	@$(PYTHON) scripts/docs.py

docs-check: $(SETUP)
	@$(PYTHON) scripts/docs.py --check

screenshots: $(SETUP) ## Make docs/terminal-80.png and docs/terminal-140.png again (needs tmux and Chromium)
	@$(PYTHON) scripts/screenshots.py

lock-check: $(SETUP)
	@$(PYTHON) scripts/lockcheck.py

template: .tools/stack/.ready ## sam validate --lint, cfn-lint and checkov on the template and what becomes of it
	@scripts/template

# They pin packages that ours and each other's do not agree with: an environment each.
.tools/stack/.ready: $(SETUP) requirements/sam.txt requirements/checkov.txt requirements/awscli.txt requirements/governance.txt scripts/stack-tools
	@scripts/stack-tools

.tools/browser/.ready: requirements/axe/package-lock.json scripts/browser-tools
	@scripts/browser-tools

.tools/e2e/.ready: $(SETUP) requirements/ministack.txt scripts/e2e-tools
	@scripts/e2e-tools

build: $(SETUP) ## Build both artifacts to deploy (ARCH=arm64, TARGETS=FILE for the Planner)
	@$(PYTHON) scripts/build.py --arch $(ARCH) $(if $(TARGETS),--targets $(TARGETS))

build/probe/.ready: $(SETUP) $(wildcard src/*.txt) $(shell find src/egressprobe -name '*.py') scripts/build.py
	@$(PYTHON) scripts/build.py

dist: $(SETUP) ## Wheel, single file, SBOM and checksums into build/dist (PLATFORM=linux-x86_64, linux-arm64, macosx-arm64)
	@$(PYTHON) scripts/packaging/dist.py $(if $(PLATFORM),--platform $(PLATFORM))

zipapp: dist ## The same: build/dist/egressprobe-VERSION-PLATFORM.pyz

build/dist/.ready: $(SETUP) requirements/cli.txt pyproject.toml README.md events/demo.json $(shell find src/egressprobe -name '*.py') $(wildcard scripts/packaging/*.py)
	@$(PYTHON) scripts/packaging/dist.py >/dev/null

needs = $(foreach name,$(1),$(if $($(name)),,$(error $(name)=... is missing; see docs/$(or $(2),deploy).md)))

deploy: deployable build ## Deploy CLUSTER's stack, with TARGETS=FILE beside what it discovers (PARAMETERS="A=b ...", TAGS="a=b", STACK, REGION, PREFIX, BUCKET, YES=1)
	@$(STACK_TOOL) deploy $(CLUSTER) $(if $(TARGETS),--targets $(TARGETS)) $(STACK_OPTIONS) \
	  $(if $(BUCKET),--bucket $(BUCKET)) $(if $(PREFIX),--prefix $(PREFIX)) \
	  --parameters Architecture=$(subst amd64,x86_64,$(ARCH)) $(PARAMETERS) --tags $(TAGS)

# Region, credentials, cluster, stack and targets file, before anything is built.
deployable: $(SETUP)
	@$(call needs,CLUSTER):
	@$(STACK_TOOL) check $(CLUSTER) $(if $(TARGETS),--targets $(TARGETS)) $(STACK_OPTIONS)

destroy: $(SETUP) ## Delete CLUSTER's stack and wait for Lambda's interfaces (STACK, REGION, YES=1)
	@$(call needs,CLUSTER):
	@$(STACK_TOOL) destroy $(CLUSTER) $(STACK_OPTIONS)

invoke: $(SETUP) ## Probe now from every subnet of CLUSTER's stack (NAMES="a b", STACK, REGION)
	@$(if $(STACK),,$(call needs,CLUSTER)):
	@.venv/bin/egressprobe invoke --stack $(or $(STACK),egressprobe-$(subst _,-,$(CLUSTER))) $(if $(REGION),--region $(REGION)) $(NAMES)

fleet: fleet-file build ## Deploy the clusters of FILE by StackSets (CHECK=1 only shows, PRUNE=1 deletes what FILE lacks, YES=1)
	@$(STACK_TOOL).fleet $(FILE) --architecture $(subst amd64,x86_64,$(ARCH)) \
	  $(if $(CHECK),--check) $(if $(PRUNE),--prune) $(if $(YES),--yes)

# The file and the targets files that it names, before anything is built.
fleet-file: $(SETUP)
	@$(call needs,FILE,fleet):
	@$(STACK_TOOL).fleet $(FILE) --check-file

fleet-dashboard: $(SETUP) ## One row for each cluster of FILE, in the account that you are in (PRINT=1, NAME, SUBNETS, MONITORING=1, PORTAL, ROLE, YES=1)
	@$(call needs,FILE,fleet-dashboard):
	@$(STACK_TOOL).fleet_dashboard $(FILE) $(if $(PRINT),--print) $(if $(NAME),--name $(NAME)) $(if $(REGION),--region $(REGION)) \
	  $(if $(ACCOUNT),--account $(ACCOUNT)) $(if $(SUBNETS),--subnets $(SUBNETS)) $(if $(MONITORING),--monitoring-account) \
	  $(if $(PORTAL),--portal $(PORTAL)) $(if $(ROLE),--role $(ROLE)) $(if $(YES),--yes)

package: packageable build ## Expanded template and artifacts for StackSets (PREFIX, TARGETS; REGIONS="a b" uploads; ORGANIZATION=o-..., ACCOUNTS="1 2" may read)
	@$(STACK_TOOL) package --prefix $(PREFIX) --regions $(REGIONS) $(if $(BUCKET),--bucket $(BUCKET)) \
	  $(if $(ORGANIZATION),--organization $(ORGANIZATION)) $(if $(ACCOUNTS),--accounts $(ACCOUNTS))

packageable:
	@$(call needs,PREFIX):

roles: $(SETUP) ## Policies for roles of your own in place of the stack's, as JSON (CLUSTER, PARAMETERS, STACK, REGION, ACCOUNT)
	@$(call needs,CLUSTER):
	@$(STACK_TOOL) roles '$(CLUSTER)' $(if $(STACK),--stack $(STACK)) $(if $(REGION),--region $(REGION)) \
	  $(if $(ACCOUNT),--account $(ACCOUNT)) --parameters $(PARAMETERS)

drill: $(SETUP) ## Prove that the page and the all-clear of CLUSTER's stack arrive, in 15 minutes (STACK, REGION, PAGE=1)
	@$(if $(STACK),,$(call needs,CLUSTER)):
	@.venv/bin/egressprobe drill --stack $(or $(STACK),egressprobe-$(subst _,-,$(CLUSTER))) $(if $(REGION),--region $(REGION)) $(if $(PAGE),--page)

price: $(SETUP) ## Monthly cost of a stack (SUBNETS=3, TARGETS=20 or a file, DETAIL=target; CLUSTER counts what discovery finds)
	@$(STACK_TOOL) price $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(REGION),--region $(REGION)) $(if $(SUBNETS),--subnets $(SUBNETS)) \
	  $(if $(TARGETS),--targets $(TARGETS)) --detail $(or $(DETAIL),target)

bench: $(SETUP) ## Wall, CPU, memory and honesty of times on loopback, with figures
	@$(PYTHON) bench/bench.py $(ARGS)

coldstart: $(SETUP) build/probe/.ready ## Cold start of the built Probe beside an empty handler, with figures
	@$(PYTHON) -m bench.coldstart

bench-audit: $(SETUP) ## The audit of 16 subnets x 200 targets x 2 families from a snapshot, with its bound
	@$(PYTHON) -m bench.audit

bench-discovery: $(SETUP) ## Discovery of 2,000 nodes, 5,000 slices and 500 webhooks: CPU and memory, with bounds
	@$(PYTHON) -m bench.discovery

.PHONY: scale
scale: $(SETUP) ## 1, 100 and 1,000 clusters against AWS's quotas; ARGS="--count --record" renews docs/scale.md's figures
	@$(PYTHON) -m bench.scale $(ARGS)

bench-peer: $(SETUP) ## Side by side with blackbox_exporter (Debian: prometheus-blackbox-exporter), with figures
	@scripts/isolated $(PYTHON) bench/peer.py

lock: ## Renew the locks (needs uv)
	@uv pip compile pyproject.toml --extra cli --extra dev --python-version 3.13 --universal --generate-hashes -q -U \
	  -o requirements/dev.txt --custom-compile-command "make lock"
	@uv pip compile pyproject.toml --extra cli --python-version 3.13 --universal --generate-hashes -q \
	  -c requirements/dev.txt -o requirements/cli.txt --custom-compile-command "make lock"
	@uv pip compile pyproject.toml --python-version 3.13 --universal --generate-hashes -q \
	  -c requirements/dev.txt -o src/requirements.txt --custom-compile-command "make lock"
	@for tool in sam checkov awscli governance ministack; do uv pip compile requirements/$$tool.in --python-version 3.13 --universal --generate-hashes \
	  -q -o requirements/$$tool.txt --custom-compile-command "make lock"; done
	@uv pip compile pyproject.toml --extra planner --python-version 3.13 --universal --generate-hashes -q \
	  -c requirements/dev.txt -o src/requirements-planner.txt --custom-compile-command "make lock"

clean: ## Remove what was built and installed here
	@rm -rf .venv .tools build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
