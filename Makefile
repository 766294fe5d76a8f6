# The commands of Intuitive AI; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help env slides lab decks site run sync lint test bench
# Whatever a person has set for Python, Jupyter, git, ... is left out; -I leaves
# it out until clean.py has seen to that.
PYTHON := .venv/bin/python -I tests/tools/clean.py
# These can be set on the command line, as in `make test SESSION=2`. They are
# emptied here, because a variable of the shell may have the same name.
SESSION =
PART =
PORT =
KEEP =
ALL =
ADDRESS =

help:  ## list the commands
	@awk -F ':.*## *' '/^[a-z]+:.*##/ {printf "  make %-7s %s\n", $$1, $$2}' Makefile

env:
	@sh tests/tools/env.sh

slides: env  ## open a session as a live deck (SESSION=4 PART=2 PORT=8888)
	@$(PYTHON) tests/tools/serve.py slides --session "$(or $(SESSION),2)" --part "$(PART)" --port "$(PORT)"

lab: env  ## read a session in JupyterLab (SESSION=2 PORT=8888)
	@$(PYTHON) tests/tools/serve.py lab --session "$(or $(SESSION),2)" --port "$(PORT)"

decks: env  ## build static decks and PDFs to hand out, in build/ (SESSION=2)
	@$(PYTHON) tests/tools/decks.py --session "$(SESSION)"

site: env  ## build all sessions as pages to read and search, in build/site
	@$(PYTHON) tests/tools/pages.py --address "$(ADDRESS)"

run: env  ## execute the notebooks that changed, and store their outputs (SESSION=2 ALL=1)
	@$(PYTHON) tests/tools/run.py --session "$(SESSION)" --all "$(ALL)"

sync: env  ## bring the halves of each pair together (KEEP=md or ipynb)
	@$(PYTHON) tests/tools/sync.py --keep "$(KEEP)"

lint: env  ## check the code's style and the spelling
	@$(PYTHON) tests/tools/lint.py

test: lint  ## run every test, each notebook executed once (SESSION=2)
	@$(PYTHON) -m pytest --session "$(SESSION)"

bench: env  ## measure Sessions 2 and 4 against their yardsticks
	@$(PYTHON) tests/bench/bench.py
