# Everything runs from the project's folder by relative paths, so the path may hold spaces.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
INSTALLED := $(VENV)/.installed
# Jupyter refuses to start for root, as in most containers, unless told; it still listens on 127.0.0.1 only and asks for its token.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab lab-lecturer test test-fast notebooks site slides student guide lint benchmark clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# Copies lie outside the tracked files and are the student's: they are made once and never overwritten. The file list
# shows notebooks without their sources; the first six patterns are Jupyter's own.
STUDENT_COPIES := student
HIDDEN := __pycache__ *.pyc *.pyo .DS_Store *~ .ipynb_checkpoints [0-9][0-9]_*.py [0-9][0-9][a-z]_*.py
LAB := $(RUN) jupyterlab --ip=127.0.0.1 $(AS_ROOT) --LabApp.default_url=/lab/tree/00_start.ipynb \
	$(foreach pattern,$(HIDDEN),'--ContentsManager.hide_globs=$(pattern)')

lab: $(INSTALLED)  ## open the course in JupyterLab: copies of your own, with the exercises to solve
	$(RUN) course_lib.authoring.student notebooks/*.ipynb --out $(STUDENT_COPIES)
	$(LAB) --ServerApp.root_dir=$(STUDENT_COPIES)

lab-lecturer: $(INSTALLED)  ## open the lessons themselves, with the solutions; nothing is saved unasked
	JUPYTER_CONFIG_PATH=jupyter/lecturer $(LAB) --ServerApp.root_dir=notebooks

# Pyodide's core, which runs the explorers of static pages: npm is asked for it once, all else works without a network.
NPM_CACHE := .cache/npm
PYODIDE := $(NPM_CACHE)/pyodide.fetched
$(PYODIDE): $(INSTALLED) course_lib/authoring/npm_packages.py
	$(RUN) course_lib.authoring.npm_packages pyodide
	@touch $@

REVEAL := $(NPM_CACHE)/reveal.fetched
$(REVEAL): $(INSTALLED) course_lib/authoring/npm_packages.py
	$(RUN) course_lib.authoring.npm_packages reveal.js
	@touch $@

# Two files at a time, one thread each, take half as long as one file on two threads; latency is the benchmark's.
test: lint  ## install what is missing and run every check
	OMP_NUM_THREADS=1 $(RUN) pytest -n 2 --dist loadfile tests/unit tests/notebooks tests/browser/test_jupyterlab.py tests/browser/test_days.py \
		tests/browser/test_explorers.py tests/browser/test_site.py tests/browser/test_slides.py tests/browser/test_guide.py

test-fast: $(INSTALLED)  ## the unit tests, without the slow ones
	$(RUN) pytest tests/unit -m "not slow"

notebooks: $(INSTALLED)  ## make each notebook from its .py source and execute it
	$(RUN) course_lib.authoring.notebooks build

site: $(INSTALLED) $(PYODIDE)  ## make the course as static pages, build/site, and build/explorers.html, one file
	$(RUN) course_lib.authoring.site

slides: $(INSTALLED) $(PYODIDE) $(REVEAL)  ## make each lesson as slides with notes for the lecturer, build/slides
	$(RUN) course_lib.authoring.slides

student: $(INSTALLED)  ## make the student course, stubs in place of solutions, build/student
	$(RUN) course_lib.authoring.student notebooks/*.ipynb

guide: $(INSTALLED)  ## make a printable page for the lecturer of each lesson, build/guide
	$(RUN) course_lib.authoring.guide

lint: $(INSTALLED)  ## check the style of the code
	$(RUN) ruff check .
	$(RUN) ruff format --check .

benchmark: $(INSTALLED)  ## measure speed and hold it against the course's bounds (wants a quiet machine)
	$(RUN) pytest tests/benchmarks tests/browser/test_latency.py tests/browser/test_site_latency.py --time-bounds

clean:  ## remove the environment and everything made by tools; notebooks and data stay
	rm -rf $(VENV) build runs .cache .pytest_cache .ruff_cache .hypothesis .benchmarks *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +

# The stamp is written last, so a broken installation is taken up again by the next command.
# An installation that stays editable leaves out the settings of Jupyter, so they are copied.
$(INSTALLED): pyproject.toml $(shell find jupyter/config -type f)
	@command -v "$(PYTHON)" > /dev/null || { echo "No Python found as '$(PYTHON)': install Python 3.10 or newer, or name it: make PYTHON=/path/to/python3 lab" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "'$(PYTHON)' is older than Python 3.10: name a newer one, for example make PYTHON=python3.12 lab" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2> /dev/null || { echo "'$(PYTHON)' cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(RUN) pip install --disable-pip-version-check -e ".[test]"
	cp -R jupyter/config/. $(VENV)/etc/jupyter/
	@touch $(INSTALLED)
