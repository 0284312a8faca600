# One command per act; CI runs the same ones. Everything works inside .venv at the root.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
PLANE_WORLDS ?= 10000
SANITIZED_WORLDS ?= 2000
SANITIZED_SWARM ?= 200
CENTRE_FROM ?= 0
CENTRE_PAIRS ?= 1540
CENTRE_BRAIN ?= static
LOST ?=
PREPARED ?=
FEED_KILLS ?= 1000
FEED_REQUESTS ?= 200
FUZZ_INPUTS ?= 100000000
FUZZ_PROCESSES ?= 2
FUZZ_TARGETS ?=
WORLDS ?= 20000
BUNDLES ?= 1000000
PLANTED_WORLDS ?= 200
BENCH_ARGS ?=
GATES_ARGS ?=
TREND ?= build/trend/history.jsonl
TEST_ARGS ?=
# Processes that share the tests; 0 is this one alone, as a debugger wants it.
TEST_JOBS ?= auto

# The peers bring several OpenMP libraries into one process; glibc's reserve of thread-local room does not do for all.
export GLIBC_TUNABLES := glibc.rtld.optional_static_tls=65536

.DEFAULT_GOAL := help
.PHONY: help run test soak soak-worlds soak-planted soak-bundles soak-planes soak-sanitized soak-centres soak-feed soak-fuzz test-bounds bench gates gates-record nightly audit sbom check docs lock samples clean

help:
	@echo "make run     learn from three weeks of the province, plan the next, replay a day with a surge under five brains"
	@echo "make test    run the tests, in TEST_JOBS (auto) processes; TEST_ARGS goes to pytest"
	@echo "make soak    all that soaks, one after the other; a part that fails does not keep the others from running"
	@echo "make soak-worlds   WORLDS (20000) simulated worlds that fail, from SEED on, each lived twice; docs/worlds.md"
	@echo "make soak-planted   bugs planted one by one, each hunted in up to PLANTED_WORLDS (200) worlds"
	@echo "make soak-bundles   BUNDLES (1000000) forged, altered and replayed packages; none may be accepted"
	@echo "make soak-planes   both data planes in PLANE_WORLDS (10000) drawn worlds from SEED on; stops at a difference, shrunk"
	@echo "make soak-sanitized   SANITIZED_WORLDS (2000) of the same worlds, and the networks of SANITIZED_SWARM (200) that fail, with the compiled extensions under sanitizers"
	@echo "make soak-centres   any two of the province's 56 centres lost, all CENTRE_PAIRS (1540) pairs; LOST=province+jiujiang is one alone"
	@echo "make soak-feed   server and agent killed FEED_KILLS (1000) times, FEED_REQUESTS (200) requests an endpoint at random"
	@echo "make soak-fuzz   FUZZ_INPUTS (100 million) inputs for all parsers, guided by coverage, from SEED on; docs/fuzzing.md"
	@echo "make test-bounds   the numba kernels under bounds checks, the compiled extensions under sanitizers"
	@echo "make bench   run the benchmarks, write build/bench.json (BENCH_ARGS='-k small')"
	@echo "make gates   instructions, kernels' times, start, memory and quality against what is on record (GATES_ARGS='--only ratios')"
	@echo "make gates-record   put them on record for this toolchain"
	@echo "make nightly soak, bench and gates; one more line in TREND (build/trend/history.jsonl), and the page of all nights"
	@echo "make audit   ask for known flaws of all that is locked; exit code 3 where no service can be reached"
	@echo "make sbom    the software bill of materials, build/sbom.cdx.json"
	@echo "make check   ruff, mypy --strict, import-linter"
	@echo "make docs    build the documentation site into build/docs/html; a warning is an error"
	@echo "make lock    resolve the lock files anew"
	@echo "make samples remake the committed sample traces"

# Three stamps: what runs needs, what development needs on top, and the benchmarks' peers. All with hashes.
# A change of an extension's source alone rebuilds it.
EXTENSIONS := $(foreach room,router_core router_core/engine router_core/table,$(wildcard $(room)/*.pyx $(room)/*.pxd))

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: requirements.lock pyproject.toml setup.py $(EXTENSIONS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@# setuptools warns that folders here may shadow the package: they are the package.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev-installed: requirements-dev.lock $(VENV)/.run-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.bench-installed: requirements-bench.lock $(VENV)/.dev-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

# Three weeks and the day before teach classes, tides and lines; the day itself is then replayed, and was never seen: an
# emergency strikes some region at two in the afternoon.
SURGE := emergency@2026-03-17T14:00x6
HISTORY := --scenario jiangxi --seed $(SEED)

run: $(VENV)/.run-installed
	$(BIN)/exchange-router trace generate $(HISTORY) --start 2026-02-23 --days 21 --out build/weeks.parquet
	$(BIN)/exchange-router trace generate $(HISTORY) --start 2026-03-16 --out build/yesterday.parquet
	$(BIN)/exchange-router replay --scenario jiangxi --trace build/yesterday.parquet --seed $(SEED) \
	    --brain ecmp --out build/yesterday
	$(BIN)/exchange-router brain fit --scenario jiangxi --seed $(SEED) --lines build/yesterday \
	    --trace build/weeks.parquet --trace build/yesterday.parquet --out build/week.brain --report build/brain.html
	$(BIN)/exchange-router trace generate $(HISTORY) --start 2026-03-17 --surge $(SURGE) --out build/day.parquet
	$(BIN)/exchange-router replay --scenario jiangxi --trace build/day.parquet --seed $(SEED) \
	    --brain shortest-path --brain ecmp --brain static --brain dynamic --brain probing \
	    --prepared build/week.brain --out build/run
	@echo "reports: build/run/report.html, and what was learnt: build/brain.html"

test: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -n $(TEST_JOBS) --maxprocesses 8 --dist loadfile $(TEST_ARGS)

SOAKS := soak-bundles soak-planted soak-centres soak-planes soak-sanitized soak-worlds soak-feed soak-fuzz

soak: $(VENV)/.dev-installed
	@failed=""; \
	for part in $(SOAKS); do $(MAKE) $$part || failed="$$failed $$part"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

# SEED=17 WORLDS=1 lives the world of one seed; what a failure prints is shorter still.
soak-worlds: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/swarm/run.py --seed $(SEED) --worlds $(WORLDS)

soak-planted: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/swarm/plant.py --seed $(SEED) --worlds $(PLANTED_WORLDS)

soak-bundles: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/soak_bundles.py --seed $(SEED) --bundles $(BUNDLES)

# The data planes against each other, docs/differential-testing.md; SEED=17 PLANE_WORLDS=1 replays the world of one seed.
soak-planes: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/soak_planes.py --figures planes --seed $(SEED) --worlds $(PLANE_WORLDS)

# The same worlds, route tables of their plans, and the networks of worlds that fail, where a read or write out of bounds ends the run.
soak-sanitized: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/sanitized.py -- tests/helpers/soak_planes.py --tables --figures sanitized \
	    --seed $(SEED) --worlds $(SANITIZED_WORLDS)
	$(BIN)/python tests/helpers/sanitized.py -- tests/helpers/swarm/engine_worlds.py --figures sanitized-worlds \
	    --seed $(SEED) --worlds $(SANITIZED_SWARM)

# CENTRE_FROM=700 goes on where it was stopped; PREPARED=build/week.brain has a brain that learnt more than a day and a half.
soak-centres: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/soak_centres.py --seed $(SEED) --from $(CENTRE_FROM) --pairs $(CENTRE_PAIRS) --lost '$(LOST)' \
	    --brain $(CENTRE_BRAIN) $(if $(PREPARED),--prepared $(PREPARED))

soak-feed: $(VENV)/.dev-installed
	FEED_KILLS=$(FEED_KILLS) FEED_REQUESTS=$(FEED_REQUESTS) $(BIN)/python -m pytest tests/feed/test_agent_crash.py \
	    tests/feed/test_server_store.py tests/feed/test_server_schema.py tests/feed/test_server_live.py

# Every parser, docs/fuzzing.md; exit code 1 if any input makes one crash, hang or grow.
soak-fuzz: $(VENV)/.dev-installed
	$(BIN)/python tests/fuzz/soak.py --inputs $(FUZZ_INPUTS) --seed $(SEED) --processes $(FUZZ_PROCESSES) \
	    $(if $(FUZZ_TARGETS),--targets $(FUZZ_TARGETS))

# The numba kernels once more with bounds checks, compiled apart from the usual cache; and the Cython extensions, built
# apart, under gcc's sanitizers.
test-bounds: $(VENV)/.dev-installed
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=build/numba-bounds $(BIN)/python -m pytest tests/router_core $(wildcard tests/strategies/test_tides*.py) \
	    $(wildcard tests/traces/test_history*.py) --ignore-glob='*/test_engine*'
	$(BIN)/python tests/helpers/sanitized.py

bench: $(VENV)/.bench-installed
	@mkdir -p build
	$(BIN)/python -m pytest benchmarks -m '' --benchmark-enable --benchmark-only --benchmark-json=build/bench.json $(BENCH_ARGS)

gates: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.gates $(GATES_ARGS)

gates-record: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.gates --record $(GATES_ARGS)

# A part that fails is told in the night's line, and the others still run: docs/nightly.md.
nightly: $(VENV)/.bench-installed
	@rm -f build/bench.json build/soak/*.json
	@failed=""; \
	$(MAKE) soak || failed="$$failed --failed soak"; \
	$(MAKE) bench || failed="$$failed --failed bench"; \
	$(BIN)/python -m benchmarks.gates.nightly --history $(TREND) $$failed

audit: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/audit.py

sbom: $(VENV)/.dev-installed
	$(BIN)/python tests/helpers/bill_of_materials.py

check: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev-installed
	$(BIN)/python -m sphinx -b html -W --keep-going -q -j auto -d build/docs/trees docs build/docs/html
	@echo "documentation: build/docs/html/index.html"

lock: $(VENV)/.dev-installed
	$(BIN)/pip-compile $(LOCK_FLAGS) --extra build --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK_FLAGS) --extra build --extra dev --extra spark --extra docs --constraint requirements.lock \
	    --output-file requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK_FLAGS) --extra build --extra bench --constraint requirements-dev.lock \
	    --output-file requirements-bench.lock pyproject.toml

LOCK_FLAGS := --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
    --no-emit-find-links --no-header --no-annotate

samples: $(VENV)/.run-installed
	sh traces/samples/make.sh $(BIN)/exchange-router

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache
