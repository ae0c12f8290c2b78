# Sets up a virtual environment on the first call; then each target does one job.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: train test lab notebooks site benchmark lock clean

train: ARGS ?= --recipe smallest-digital
train: $(VENV)/ready
	$(BIN)/python -m hamlib train $(ARGS)

# The fourth line wants British spelling in the notebooks: codespell's list for the other direction, turned round. The tests
# come in two parts: what TensorFlow has compiled is never given back, and kernels need room beside the workers.
test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell README.md CHANGELOG.md Makefile pyproject.toml notebooks hamlib book benchmarks tests
	sed -nE '/program|stor(y|ies)|practi|licen/!s/(.*)->(.*)/\2->\1/p' $(VENV)/lib/*/site-packages/codespell_lib/data/dictionary_en-GB_to_en-US.txt > $(VENV)/british && $(BIN)/codespell -D $(VENV)/british --ignore-regex '^[^#].*|`[^`]*`' notebooks
	$(BIN)/python -m pytest -n auto --dist worksteal tests --ignore tests/test_notebooks.py $(ARGS)
	$(BIN)/python -m pytest -n auto --dist worksteal --nbmake notebooks tests/test_notebooks.py $(ARGS)

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
