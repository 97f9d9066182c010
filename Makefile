PYTHON ?= python3
BIN := .venv/bin
SERVER := .venv-server
BENCHMARKS := pool.py ledger.py throughput.py loop.py challenges.py models.py faults.py kills.py audit_labels.py coverage.py workforce.py people.py setup.py
BESIDE_PEERS := label_efficiency.py selection_speed.py flood.py truth_inference.py

# uv reads its own name for local wheels; an empty value is harmless.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_LINK_MODE ?= copy
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo serve test simulation cluster browser setup check audit bench peers clean

demo: .venv/.ready $(SERVER)/.ready
	$(BIN)/python -m hitl.demo $(if $(DATA),--data "$(DATA)") $(if $(TEXT),--text "$(TEXT)") \
		$(if $(LABEL),--label "$(LABEL)") $(if $(REACH),--reach "$(REACH)") $(DEMO_ARGS)

serve: .venv/.ready $(SERVER)/.ready
	$(BIN)/python -m hitl.demo --serve $(if $(DATA),--data "$(DATA)") $(DEMO_ARGS)

# Small products of matrices, and several processes at once: threads of the BLAS would only wait for one another.
test: export OMP_NUM_THREADS ?= 1
test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

# Statistics whose promises only many repetitions show.
simulation: export OMP_NUM_THREADS ?= 1
simulation: setup
	$(BIN)/python -m pytest -m simulation tests --numprocesses 2 --dist loadfile $(ARGS)

# Ray on two nodes of this machine, with workers and a node killed in mid-scan.
cluster: export OMP_NUM_THREADS ?= 1
cluster: setup
	$(BIN)/python -m pytest -m cluster tests/compute $(ARGS)

# An annotator in headless Chromium: HITL_CHROMIUM names it, HITL_SHOTS a folder for pictures of the pages.
browser: export OMP_NUM_THREADS ?= 1
browser: setup .venv/.browser
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known vulnerabilities among what is installed; a machine from which the database cannot be asked says so and passes.
audit: .venv/.dev
	@test -x .cache/audit/bin/pip-audit || { $(BIN)/uv venv --quiet --clear --python $(PYTHON) .cache/audit && \
		$(BIN)/uv pip install --quiet --python .cache/audit/bin/python pip-audit; } || true
	@$(BIN)/uv pip freeze --quiet --python $(BIN)/python --exclude-editable > .cache/releases.txt
	@$(BIN)/python .ci/audit.py .cache/audit/bin/pip-audit .cache/releases.txt $(AUDIT_ARGS)

bench: setup peers
	@for b in $(addprefix benchmarks/,$(BENCHMARKS)); do echo "== $$b"; $(BIN)/python $$b $(ARGS) || exit 1; done

peers: .venv-bench/.ready
	@for b in $(addprefix benchmarks/,$(BESIDE_PEERS)); do echo "== $$b"; .venv-bench/bin/python $$b $(ARGS) || exit 1; done

setup: .venv/.dev $(SERVER)/.ready

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv

# The loop itself, which the demo shows, needs no torch; the tests do.
.venv/.ready: pyproject.toml constraints.txt | .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[dev]"
	@touch $@

.venv/.browser: pyproject.toml | .venv/.dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[browser]"
	@touch $@

$(SERVER)/.ready: server-requirements.txt | .venv/bin/uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(SERVER)
	$(BIN)/uv pip install --quiet --python $(SERVER)/bin/python --requirement server-requirements.txt
	@touch $@

.venv-bench/.ready: pyproject.toml constraints.txt benchmarks/peers-requirements.txt | .venv/bin/uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-bench
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-bench/bin/python --constraint constraints.txt \
		--requirement benchmarks/peers-requirements.txt --editable .
	@touch $@

clean:
	rm -rf .venv .venv-server .venv-bench .cache demo-run benchmarks/out
