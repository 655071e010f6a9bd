# Everything that people and CI run. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo check test lab service fuzz simulate kill-loop bench soak differ home-assistant node-red editor pins clean

BIN := .venv/bin

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

setup: ## QEMU, Mosquitto and a .venv with the pinned libraries; instant when they are there
	@scripts/setup

demo: setup ## a real QEMU guest panics and reactor brings it back, told step by step
	@$(BIN)/reactor demo

check: setup ## all fast checks: lint, format, types, layers, spelling, schema, tests, coverage floors
	@$(BIN)/python scripts/check.py

test: setup ## everything: check, then the lab on real QEMU, the documents' snippets, a bench smoke run
	@$(BIN)/python scripts/check.py --all

lab: setup ## only the tests on a real QEMU and Mosquitto
	@$(BIN)/python -m pytest -m lab tests

service: setup ## the unit of the how-to on a real systemd, in namespaces of its own; needs root
	@$(BIN)/python -m pytest tests/service

fuzz: setup ## damaged policies, expressions, messages by chance; EXAMPLES=20000 for each kind
	@EXAMPLES=$${EXAMPLES:-20000} $(BIN)/python -m pytest --hypothesis-profile=fuzz -o timeout=0 -n 2 tests/fuzz

simulate: setup ## the whole daemon in virtual time: HISTORIES=20000 or MINUTES=n; SEED=n tells one again
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(HISTORIES),--histories $(HISTORIES)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PLANTED),--planted)

kill-loop: setup ## real guests panic, the daemon is killed -9 all the while, an auditor counts; MINUTES=60
	@$(BIN)/python -m tests.lab.killing --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

bench: setup ## measure against the machine's floors
	@$(BIN)/python -m bench

soak: setup ## MINUTES=60 of 2,000 events a second: fails when memory, handles, tasks or journal grow
	@$(BIN)/python -m bench --only soak --minutes $${MINUTES:-60} --strict

differ: setup ## CALLS=20000 by chance, whole and broken: QEMU and the check must say the same; SEED=n again
	@$(BIN)/python -m tests.lab.differing $(if $(CALLS),--calls $(CALLS)) $(if $(SEED),--seed $(SEED))

home-assistant: setup ## Home Assistant's own code judges what is announced to it; installs it into build/
	@scripts/home_assistant

editor: setup ## a real YAML language server with our schema: what it offers and marks; installs it into build/
	@scripts/yaml_language_server

node-red: setup ## the flow of examples/node-red in a real Node-RED, against a real broker; installs it into build/
	@scripts/node_red

pins: setup ## work out constraints.txt anew from pyproject.toml
	@scripts/pins

clean: ## remove .venv, caches and build results
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
