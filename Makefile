# Sets up a virtual environment on the first call; then each target does one job.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin

.PHONY: train test quick oldest colab chapters lab notebooks site benchmark lock clean

train: ARGS ?= --recipe smallest-digital
train: $(VENV)/ready
	$(BIN)/python -m hamlib train $(ARGS)

# A process never gives back all that TensorFlow has compiled in it. So what compiles most
# runs in calls of its own, in fresh processes; and so do the chapters, handed out one at a time.
LEARNING := $(patsubst %,tests/test_%.py,cli training)
REINFORCING := $(patsubst %,tests/test_%.py,distribute policy_gradient recipes register)
ANSWERING := $(patsubst %,tests/test_%.py,access engine models pretrained)
CHAPTERS := --maxschedchunk 1 --nbmake notebooks tests/test_notebooks.py
PYTEST := $(BIN)/python -m pytest -n auto --durations 8 --durations-min 20

test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell README.md CHANGELOG.md Makefile pyproject.toml notebooks hamlib book benchmarks tests
	$(PYTEST) --dist worksteal $(LEARNING) $(ARGS)
	$(PYTEST) --dist worksteal $(REINFORCING) $(ARGS)
	$(PYTEST) --dist worksteal $(ANSWERING) $(ARGS)
	$(PYTEST) --dist worksteal tests $(addprefix --ignore=,$(LEARNING) $(REINFORCING) $(ANSWERING) tests/test_notebooks.py) $(ARGS)
	$(PYTEST) $(CHAPTERS) $(ARGS)

# What needs neither a browser nor signals, in minutes: for systems and versions that the rest has not been run on.
quick: $(VENV)/ready
	$(PYTEST) --dist worksteal $(ANSWERING) $(ARGS)
	$(PYTEST) --dist worksteal $(patsubst %,tests/test_%.py,drawing evaluation memory odd policy_gradient proof \
	  structures tasks weights) $(ARGS)

# The same and the chapters with the oldest versions that pyproject.toml allows, and with those of Colab.
oldest colab:
	$(MAKE) quick chapters VENV=build/$@ CONSTRAINTS=build/$@.txt

build/oldest.txt: pyproject.toml
	mkdir -p $(@D)
	sed -n '/^dependencies/,/^]/s/^ *"\(.*\)>=\(.*\)",/\1==\2/p' $< > $@

build/colab.txt: Makefile
	mkdir -p $(@D)
	printf '%s\n' tensorflow==2.20.0 keras==3.13.2 numpy==2.0.2 matplotlib==3.10.0 ipython==7.34.0 > $@

chapters: $(VENV)/ready
	$(PYTEST) $(CHAPTERS) $(ARGS)

lab: $(VENV)/ready
	$(BIN)/jupyter lab notebooks

notebooks: $(VENV)/ready
	$(BIN)/python -m book build $(ARGS)

site: $(VENV)/ready
	$(BIN)/python -m book site

benchmark: $(VENV)/ready
	$(BIN)/python -m benchmarks

$(VENV)/ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .[book,site,test,tune]
	touch $@

lock:
	uv pip compile pyproject.toml --all-extras --universal --no-header --no-annotate --python-version 3.11 -o constraints.txt

clean:
	rm -rf $(VENV) build
