# The commands of Intuitive AI; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help env slides lab decks run sync lint test bench
SESSION ?= 2
# Whatever a person has set for Python, Jupyter, git, ... is left out; -I leaves
# it out until clean.py has seen to that.
PYTHON := .venv/bin/python -I tests/tools/clean.py
# The browser that these open is the person's own, and so needs what they have
# set. The server that they start gets a clean environment from them.
SERVE := .venv/bin/python -E -s -X utf8 tests/tools/serve.py

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## */\t/' | awk -F '\t' '{printf "  make %-7s %s\n", $$1, $$2}'

env:
	@sh tests/tools/env.sh

slides: env  ## open a session as a live deck (SESSION=2 PORT=8888)
	@$(SERVE) slides --session "$(SESSION)" --port "$(PORT)"

lab: env  ## read a session in JupyterLab (SESSION=2 PORT=8888)
	@$(SERVE) lab --session "$(SESSION)" --port "$(PORT)"

decks: env  ## build static decks and PDFs to hand out, in build/
	@$(PYTHON) tests/tools/decks.py

run: env  ## execute every notebook, fresh, and store what comes out
	@$(PYTHON) tests/tools/run.py

sync: env  ## bring the halves of each pair together (KEEP=md or ipynb)
	@$(PYTHON) tests/tools/sync.py --keep "$(KEEP)"

lint: env  ## check the code's style and everybody's spelling
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/codespell

test: lint  ## run every test, each notebook executed once
	@$(PYTHON) -m pytest

bench: env  ## measure Sessions 2 and 4 against their yardsticks
	@$(PYTHON) tests/bench/bench.py
