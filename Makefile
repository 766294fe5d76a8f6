# The commands of Intuitive AI; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help env slides lab decks site run sync lint test bench
# do.py does the same on every platform. It drops the user's own settings for
# Python, Jupyter, git and so on; until it has done so, -I makes Python ignore
# them.
DO := .venv/bin/python -I tests/tools/do.py
# These can be set on the command line, as in `make test SESSION=2`. They are
# emptied here, because an environment variable may have the same name.
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
	@$(DO) slides SESSION="$(SESSION)" PART="$(PART)" PORT="$(PORT)"

lab: env  ## read a session in JupyterLab (SESSION=2 PORT=8888)
	@$(DO) lab SESSION="$(SESSION)" PORT="$(PORT)"

decks: env  ## build static decks and PDFs to hand out, in build/ (SESSION=2)
	@$(DO) decks SESSION="$(SESSION)"

site: env  ## build all sessions as pages to read and search, in build/site
	@$(DO) site ADDRESS="$(ADDRESS)"

run: env  ## execute the notebooks that changed, and store their outputs (SESSION=2 ALL=1)
	@$(DO) run SESSION="$(SESSION)" ALL="$(ALL)"

sync: env  ## make the two halves of each notebook agree (KEEP=md or ipynb)
	@$(DO) sync KEEP="$(KEEP)"

lint: env  ## check the style of the code and the spelling
	@$(DO) lint

test: env  ## run every test, and execute each notebook once (SESSION=2)
	@$(DO) test SESSION="$(SESSION)"

bench: env  ## measure Sessions 2 and 4 against their yardsticks
	@$(DO) bench
