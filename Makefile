# Everything runs in a virtual environment of its own; make test PYTHON=python3.12 chooses another Python.
PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/quick
BIN := $(VENV)/bin

.PHONY: help install bench test soak lint types arrows pytest benchmark browser peers gpu multi30k clean

help:            ## this list
	@grep -E '^[a-z0-9]+: .*##' Makefile | sed 's/:.*## */  /'

install: $(VENV)/.installed  ## a virtual environment with everything, versions as in constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' --constraint constraints.txt
	touch $@

bench: install  ## train five models on three tasks (20 minutes on two cores) and write the report
	$(BIN)/seqbench run quick --out $(OUT); status=$$?; \
	$(BIN)/seqbench report $(OUT) --out $(OUT)/report && exit $$status

test: lint types arrows pytest  ## style, types, architecture and tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

arrows: install
	$(BIN)/lint-imports

pytest: install
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --benchmark-disable

soak: install  ## the long forms of the tests: every fault at every call, a thousand kills, large folders
	SEQBENCH_SOAK=2000 $(BIN)/python -m pytest -q tests/test_faults.py tests/test_resume.py tests/test_record.py \
		tests/test_malformed.py tests/test_kills.py tests/test_report.py tests/test_coverage.py

benchmark: install  ## times layers, models and the harness, and judges the ratios that are goals
	mkdir -p runs
	$(BIN)/python -m pytest tests/benchmarks --benchmark-json=runs/benchmark.json --ratios=runs/ratios.json

browser: install  ## reports in the Chromium that the machine has; skipped where there is none
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,browser]' --constraint constraints.txt \
		|| echo "playwright and axe cannot be installed: what needs them is skipped"
	$(BIN)/python -m pytest -q -rs --benchmark-disable tests/browser

GPU ?= runs/gpu
DEVICE ?= cuda
SECONDS ?= 540

gpu:             ## speed and scaling on a GPU, about 9 minutes: make gpu SECONDS=540 PYTHON=python3 WHEELS=folder; again to go on
	$(PYTHON) -m venv --system-site-packages .venv-gpu
	if [ -n "$(WHEELS)" ]; then .venv-gpu/bin/python -m pip install --quiet --no-index --no-deps $(WHEELS)/*.whl; fi
	.venv-gpu/bin/python -m bench run gpu --device $(DEVICE) --within $$(($(SECONDS) > 100 ? $(SECONDS) - 90 : 10)) --out $(GPU); status=$$?; \
	.venv-gpu/bin/python -m bench report $(GPU) --out $(GPU)/report && exit $$status

PEERS ?= .venv-peers

peers: $(PEERS)/.installed  ## ours against MarianMT and JoeyNMT, in a virtual environment of their own
	PYTHONPATH=. $(PEERS)/bin/python tests/benchmarks/peers/compare.py --out runs/peers.json

$(PEERS)/.installed: tests/benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

multi30k: install  ## five models on Multi30k German to English: make multi30k DATA=folder
	$(BIN)/seqbench run multi30k --data translation=$(DATA) --out runs/multi30k
	$(BIN)/seqbench report runs/multi30k --out runs/multi30k/report

clean:           ## removes the virtual environment and caches; results stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache
