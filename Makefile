# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Every target makes what it needs; `make` alone lists them.
RUN := scripts/run
# make test ONLY=unit,lint   make test SKIP=molecule   (names: scripts/test --list)
ONLY ?=
SKIP ?=
# what smoke-aws and smoke-sandbox are asked for, when it is given
SMOKE = $(foreach name,ACCOUNT MAX_USD CIDR REGION MARKET YES IN_CI,$(if $($(name)),"$(name)=$($(name))"))

.DEFAULT_GOAL := help
.PHONY: help setup check test demo demo-down fuzz sandbox-up sandbox-down sandbox-status sandbox-logs bench-provision bench-configure faults \
        bench-gpu-facts lint docs-lint sanity build lock clean smoke-aws smoke-sandbox

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make the Python environment (3.11: ansible-core 2.19; 3.12, 3.13: 2.21)
	@scripts/env

demo: ## From an empty emulated account to configured hosts, shown step by step
	@$(RUN) python -m sandbox.demo

demo-down: ## Take the demo away, without a trace
	@$(RUN) python -m sandbox.demo --down

check: ## Lint and unit tests: the edit loop, no root needed
	@$(RUN) python -m scripts.test --only lint,unit

test: ## Everything that is tested (as root: real hosts are started)
	@$(RUN) python -m scripts.test $(if $(ONLY),--only $(ONLY)) $(if $(SKIP),--skip $(SKIP))

fuzz: ## Property tests with new examples each time (make test takes the same ones); ROUNDS=3
	@for round in $$(seq $(or $(ROUNDS),1)); do \
	  MLINFRA_PROPERTIES=fuzz $(RUN) python -m pytest -q -m hypothesis tests/unit || exit 1; done

lint: ## ruff, ansible-lint, changelog fragments
	@$(RUN) python -m scripts.test --only lint

docs-lint: ## antsibull-docs on every plugin and role
	@$(RUN) python -m pytest -q tests/lint -k docs

sanity: ## ansible-test sanity on a copy of the checkout
	@$(RUN) python -m scripts.test --only sanity

build: ## The collection artifact, into .build/
	@$(RUN) ansible-galaxy collection build --force --output-path .build .

sandbox-up: ## Start the emulated AWS
	@$(RUN) python -m sandbox up

sandbox-down: ## Stop it, its hosts and networks
	@$(RUN) python -m sandbox down

sandbox-status: ## What runs in it
	@$(RUN) python -m sandbox status

sandbox-logs: ## What it said
	@$(RUN) python -m sandbox logs

bench-provision: ## aws_stack against the stock modules; last lines: NAME RATIO GOAL
	@$(RUN) python -m bench.provision

bench-configure: ## configure, unchanged, against pings on the same hosts; last lines: NAME RATIO GOAL
	@$(RUN) python -m bench.configure

smoke-aws: ## Prove it in your AWS account, for money: ACCOUNT=… MAX_USD=2 CIDR=…/32
	@$(RUN) python -m smoke $(SMOKE)

smoke-sandbox: ## The same course in the sandbox, with a simulated GPU (as root)
	@$(RUN) python -m smoke.sandboxed

faults: ## A fault at every write of a stack's life, at every position; last line: faults: N cases, V violations
	@$(RUN) python -m faults
bench-gpu-facts: ## gpu_facts of its own on eight GPUs against half a second; last line: NAME RATIO GOAL
	@$(RUN) python -m bench.gpu_facts

lock: ## Pin the requirements again
	@scripts/lock

clean: ## Remove what was built in the checkout (the cache outside it stays, and is named)
	@rm -rf .build .ruff_cache .pytest_cache .mypy_cache .ansible
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "kept: $${MLINFRA_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/mlinfra} (environments, root filesystems)"
