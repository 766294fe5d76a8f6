# The commands of Intuitive AI. Run `make` alone to list them.
.DEFAULT_GOAL := help
.PHONY: help env slides lab decks site run sync lint test bench
# do.py works in the same way on every platform. It drops the user's settings
# for Python, Jupyter, git and other tools. Until that is done, -I makes Python
# ignore the settings for Python itself.
DO := .venv/bin/python -I tests/tools/do.py
# You can set these variables on the command line, as in `make test SESSION=2`.
# They are emptied here because environment variables may have the same names.
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

site: env  ## build a website of all sessions, in build/site
	@$(DO) site ADDRESS="$(ADDRESS)"

run: env  ## execute the notebooks that have changed, and store their outputs (SESSION=2 ALL=1)
	@$(DO) run SESSION="$(SESSION)" ALL="$(ALL)"

sync: env  ## make the two halves of each notebook agree (KEEP=md or ipynb)
	@$(DO) sync KEEP="$(KEEP)"

lint: env  ## check the style of the code and the spelling
	@$(DO) lint

test: env  ## run every test, and execute each notebook once (SESSION=2)
	@$(DO) test SESSION="$(SESSION)"

bench: env  ## measure the speed of Sessions 2 and 4 against reference programs
	@$(DO) bench
