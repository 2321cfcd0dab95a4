PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all lint format clean

demo: $(VENV)/installed
	$(BIN)/python main.py --config=configs/demo.py --workdir=runs/demo $(if $(REAL),--config.real="$(REAL)")
	$(BIN)/python main.py --config=configs/predict.py --workdir=runs/demo/own_ct --config.predict.input=twin \
		--config.predict.run=runs/demo

test: $(VENV)/installed-dev lint
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-all: $(VENV)/installed-dev lint
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or not slow"

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@echo "installing requirements.txt into $(VENV), a minute or two"
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "installing requirements-dev.txt into $(VENV), a minute or two"
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@
