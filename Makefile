# Everything a fresh clone needs: make, Python 3.11 or newer, and either uv or pip to fetch uv with.
# Nothing is installed outside this folder.

PYTHON ?= python3
STATE := $(or $(DESKHAND_STATE),.deskhand)
BIN := .venv/bin
READY := .venv/.ready

# A `uv` on the path is used as it is; otherwise the pinned one is put into .tools.
PATH_UV := $(shell command -v uv 2>/dev/null)
UV := $(or $(PATH_UV),.tools/bin/uv)
# The Python that is here is the one to use: none is downloaded.
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# pip trusts the system's certificates, which may hold a company's own; so does uv then.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS := 1
endif

.PHONY: help demo dev test histories check bench bench-quick chaos format lock audit sbom clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## start everything, send one ticket per tool, show the notes, stop
	@$(BIN)/deskhand demo

dev: $(READY) ## start everything and keep it running until Ctrl-C
	@$(BIN)/deskhand dev

# Two at a time, each on a stack of its own: mostly they wait, for time-outs that are real.
test: $(READY) ## run the tests
	@$(BIN)/pytest -n 2 --dist loadfile

histories: $(READY) ## record the histories that are replayed (REPLACE=1: keep only how runs go now)
	@$(BIN)/python -m tests.replay.record $(if $(REPLACE),--replace)

# Both are said again here, where no slip in the file can undo them: what is found is tried on nobody, and it asks nobody
# for news of itself.
SECRETS := $(BIN)/kingfisher scan --config .kingfisher/config.yaml --no-validate --no-update-check --quiet \
	--rule-cache-dir .venv/.kingfisher

check: $(READY) ## lint, formatting, types, import contracts, names, secrets in the tree and its history
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -P -m deskhand.devstack.names
	@$(SECRETS) .

bench: $(READY) ## measure everything against its bars, in about ten minutes
	@$(BIN)/python -m bench --behind

bench-quick: $(READY) ## the same in under two minutes
	@$(BIN)/python -m bench --quick

chaos: $(READY) ## kill everything at random while 300 tickets come in, in about five minutes (SEED=n: that plan again)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

format: $(READY) ## fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header

lock: $(UV) ## pin the requirements again, keeping pins that still fit (UPGRADE=1: renew them all)
	@$(UV) $(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements/runtime.txt
	@$(UV) $(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra devstack --group dev -o requirements/dev.txt
	@echo uv | $(UV) $(COMPILE) $(if $(UPGRADE),--upgrade) - -o requirements/uv.txt

audit: $(READY) ## ask a database of known vulnerabilities about every pin (needs the internet; AUDIT_URL=address: another)
	@$(BIN)/python -m requirements.audit $(if $(AUDIT_URL),--osv-url $(AUDIT_URL))

sbom: $(READY) ## write dist/deskhand-sbom.json: what of Python goes into the image, with hashes and licences (CycloneDX)
	@$(BIN)/python -m requirements.sbom dist/deskhand-sbom.json

clean: ## delete the state of the development stack, the environment and the caches
	@$(or $(wildcard $(BIN)/python),$(PYTHON)) -m deskhand.devstack.clean "$(STATE)"
	@rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, made again only when what is in it changes.
$(READY): pyproject.toml examples/freshservice/pyproject.toml requirements/dev.txt | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Deskhand needs Python 3.11 or newer; $(PYTHON) is not. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Preparing the environment in .venv"
	@$(BIN)/python -c '' 2>/dev/null || $(UV) venv --quiet --clear --python "$$(command -v $(PYTHON))" .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
		--editable . --editable examples/freshservice
	@touch $@

.tools/bin/uv: requirements/uv.txt
	@echo "Fetching uv into .tools"
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
		echo "There is neither uv nor pip for $(PYTHON): install one of them first" >&2; exit 1; }
	@rm -rf .tools
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
		--require-hashes --target .tools -r requirements/uv.txt
	@touch $@
