# `make demo` and `make test` do all set-up themselves: Python >= 3.11 with pip is all they need.
PYTHON ?= python3
VENV ?= .venv
# Where pip takes torch from. Empty: pip's own index. A CPU build elsewhere:
#   make demo TORCH_INDEX="--index-url https://download.pytorch.org/whl/cpu"
TORCH_INDEX ?=
DEMO_OUT ?= demo-out
BIN := $(VENV)/bin
# What the leaderboard shows; each run file says what it reduces, and how long it takes.
BOARD_RUNS := smollm2_ioi smollm2_ioi_nodes board_ioi_mib board_digits smollm2_variable smollm2_sae smollm2_sae_seeds \
              board_truth board_truth_variable
# What every parser of files that others wrote shares among them, and where the random numbers begin.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 0

.PHONY: help install model demo test test-slow test-browser fuzz lint records site bench clean

help:
	@echo "make demo       set up, score random, EAP and EAP-IG on SmolLM2 x IOI, write records, page and pictures"
	@echo "make test       set up, run the tests           make test-slow   also the slow ones"
	@echo "make test-browser  the leaderboard's pages in chromium"
	@echo "make fuzz       damaged files for every parser, FUZZ_SECONDS=$(FUZZ_SECONDS) in all"
	@echo "make lint       style, types, import rules      make bench       cost in plain forward passes"
	@echo "make records    run what the leaderboard shows, about 5 hours of one core; goes on where it stopped"
	@echo "make site       rebuild leaderboard/ from leaderboard/records"

$(BIN)/.installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -c "import sys; sys.exit('mibench needs Python 3.11 or newer: make PYTHON=python3.11') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH_INDEX) -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e ".[gguf,corpora,dev]"
	touch $@

install: $(BIN)/.installed

model: install
	$(BIN)/mibench models pull smollm2-135m

demo: model
	$(BIN)/mibench run runs/demo.yaml --out $(DEMO_OUT)/records
	$(BIN)/mibench leaderboard build $(DEMO_OUT)/records --out $(DEMO_OUT)/leaderboard
	@echo "Page: $(DEMO_OUT)/leaderboard/site/index.html"

test: model
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: model
	$(BIN)/python -m pip install --quiet -c constraints.txt ray
	$(BIN)/python -m pytest -m "not gpu" --timeout=3600

fuzz: install
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest tests/fuzz -m slow -s

# The pages in a real browser: Debian's chromium, and axe-core from npm for accessibility.
test-browser: install
	command -v chromium >/dev/null || apt-get install --yes --no-install-recommends chromium npm
	$(BIN)/python -m pip install --quiet -c constraints.txt playwright
	$(BIN)/python -m pytest -m slow tests/e2e/test_site_in_browser.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

records: model
	for name in $(BOARD_RUNS); do $(BIN)/mibench run $$name --out leaderboard/records || exit 1; done
	$(BIN)/mibench records slim leaderboard/records --in-place --max-artifact-mb 0.001

site: install
	$(BIN)/mibench leaderboard build leaderboard/records --published saebench --out leaderboard

bench: model
	$(BIN)/python benchmarks/circuit.py
	$(BIN)/python benchmarks/variable.py
	$(BIN)/python benchmarks/sae.py

clean:
	rm -rf $(VENV) $(DEMO_OUT) build *.egg-info
