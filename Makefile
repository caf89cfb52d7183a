# The only commands a newcomer needs: run, test, check, bench, soak. Everything lives in .venv, web/ and var/.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test check bench soak lock clean
help:
	@echo "make run    install, build, prepare a demo database, serve on PORT (default 8000)"
	@echo "make test   install and run every test"
	@echo "make check  format, linters, types, import direction"
	@echo "make bench  measurements, printed as tables"
	@echo "make soak   the long proofs: what make test runs in short, at full length"
	@echo "make lock   renew the lock files from pyproject.toml (needs uv)"

# Hashes are checked, the project itself is installed without network access (setuptools is locked too).
.venv/runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Spotplan needs Python 3.11 or newer: set PYTHON=... (this is %s)" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python3 cannot make virtual environments: install python3-venv"; exit 1; }
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation --no-index -e .
	@touch $@

.venv/dev: .venv/runtime requirements-dev.lock
	$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	@touch $@

# Compiled once here, so that no server's start has to wait for it.
.venv/native: .venv/runtime $(wildcard planner/native/*.py)
	@echo "compiling the planner, half a minute at the most"
	@$(BIN)/python -c "from planner.warm import warm; warm()"
	@touch $@

web/dist/index.html: .venv/runtime web/build.py web/package-lock.json $(wildcard web/src/* web/*.html web/*.js)
	$(BIN)/python web/build.py

run: .venv/runtime .venv/native web/dist/index.html
	@$(BIN)/spotplan demo --port $(PORT)

test: .venv/dev .venv/native web/dist/index.html
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy web/build.py
	$(BIN)/mypy examples/python/with_gql.py
	$(BIN)/lint-imports --no-cache

bench: .venv/dev .venv/native
	$(BIN)/python -m bench

soak: .venv/dev .venv/native
	$(BIN)/python -m pytest -m soak

lock:
	uv pip compile pyproject.toml -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o requirements.lock
	uv pip compile pyproject.toml -q --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o requirements-dev.lock
	uv pip compile examples/python/requirements.in -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o examples/python/requirements.lock
	for peer in ariadne graphene; do uv pip compile bench/peers/$$peer.in -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -o bench/peers/$$peer.lock; done

clean:
	rm -rf .venv web/dist web/node_modules web/audits/node_modules var
	rm -rf examples/node_modules examples/*/dist examples/typescript/src/gql examples/relay/src/__generated__ examples/python/.venv examples/python/spotplan_client
