# Sets up a virtual environment on the first call; then each target does one job.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: train test lab notebooks site benchmark lock clean

train: ARGS ?= --recipe smallest-digital
train: $(VENV)/ready
	$(BIN)/python -m hamlib train $(ARGS)

LEARNING := $(patsubst %,tests/test_%.py,cli distribute policy_gradient recipes register training)
ELSEWHERE := $(addprefix --ignore=,$(LEARNING) tests/test_notebooks.py)

# In three parts: what TensorFlow has compiled is never given back, and kernels need room beside the workers. The
# chapters are handed out one at a time, so that no worker has several left when the others are done.
test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell README.md CHANGELOG.md Makefile pyproject.toml notebooks hamlib book benchmarks tests
	$(BIN)/python -m pytest -n auto --dist worksteal $(LEARNING) $(ARGS)
	$(BIN)/python -m pytest -n auto --dist worksteal tests $(ELSEWHERE) $(ARGS)
	$(BIN)/python -m pytest -n auto --maxschedchunk 1 --nbmake notebooks tests/test_notebooks.py $(ARGS)

lab: $(VENV)/ready
	$(BIN)/jupyter lab notebooks

notebooks: $(VENV)/ready
	$(BIN)/python -m book build $(ARGS)

site: $(VENV)/ready
	$(BIN)/python -m book site

benchmark: $(VENV)/ready
	$(BIN)/python -m benchmarks

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[book,site,test,tune]
	touch $@

lock:
	uv pip compile pyproject.toml --all-extras --universal --no-header --no-annotate --python-version 3.11 -o constraints.txt

clean:
	rm -rf $(VENV) build
