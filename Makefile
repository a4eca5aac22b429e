# Each target is one or two commands that you could type yourself.
PYTHON ?= python3
# Tests that watch a clock: two at a time, one for each processor. And those that measure, or need both: one by one.
IN_PAIRS = tests/celery_bridge/proof tests/verify tests/acceptance/test_limits.py tests/faults/test_database.py tests/faults/test_rates.py \
    tests/faults/test_schedules.py tests/faults/test_seams.py tests/grafana/test_alerts_fire.py
ONE_BY_ONE = tests/benchmarks/test_claim_cost.py tests/benchmarks/test_flow_cost.py tests/benchmarks/test_measuring.py \
    tests/benchmarks/test_tenancy_cost.py tests/acceptance/test_controls.py tests/faults/test_crowds.py
SIDE_BY_SIDE = --dist loadfile --no-loadscope-reorder

# Where the surroundings say that Python shall keep no bytecode, as images do, each of the hundreds of processes that tests start
# would compile this package anew, and each of those that run them, all tests.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo up test tables volumes moves check fix bench fuzz upstream django deploy dashboards

demo: .venv/demo            ## play a company day on the bundled PostgreSQL and reconcile it
	.venv/bin/youtility-tasks play_company_day --console

up: .venv/demo              ## database, workers and pages, until Ctrl-C
	.venv/bin/youtility-tasks up

test: check                 ## all checks and tests; what fails beside others is run once more, alone (KEEP_SECONDS=1: note how long)
	.venv/bin/python -m pytest -q -n 4 $(SIDE_BY_SIDE) $(addprefix --ignore=,$(IN_PAIRS) $(ONE_BY_ONE)) || $(AGAIN)
	.venv/bin/python -m pytest -q -n 2 $(SIDE_BY_SIDE) $(IN_PAIRS) || $(AGAIN)
	.venv/bin/python -m pytest -q $(ONE_BY_ONE)

AGAIN = .venv/bin/python -m pytest -q --last-failed --last-failed-no-failures none

tables: .venv/dev           ## all rooms of the catalogue on other applications' tables (ten minutes; `test` does one of them)
	ALL_ROOMS=1 .venv/bin/python -m pytest -q tests/catalog/adoption/test_other_applications.py

volumes: .venv/dev          ## every volume benchmark in its short form (`test` does one of each)
	ALL_VOLUMES=1 .venv/bin/python -m pytest -q tests/benchmarks/test_volumes.py

moves: .venv/dev            ## whole moves from Celery with bugs planted in them, each of which must be found (three minutes)
	ALL_MOVES=1 .venv/bin/python -m pytest -q tests/celery_bridge/proof

check: .venv/dev            ## format, lint, types, and who may import whom
	.venv/bin/ruff format --check . && .venv/bin/ruff check .
	.venv/bin/mypy && .venv/bin/lint-imports

fix: .venv/dev              ## format, and repair what can be repaired
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

deploy: .venv/demo          ## make the files of deploy/ anew from its templates and the settings
	.venv/bin/python -m deploy.render

bench: .venv/demo           ## measure this package and its peers, and draw the charts (half an hour)
	.venv/bin/youtility-tasks bench_task_queue --only all --against procrastinate,pgqueuer,celery --charts youtility_tasks/bench/page --save youtility_tasks/bench/page/result.json

dashboards: .venv/dev       ## make grafana/ from what the queues promise
	.venv/bin/python -m django make_dashboards --settings youtility_tasks.standalone.settings --heartbeat task_every_min

fuzz: .venv/dev             ## send the API 10,000 strange requests (five minutes)
	FUZZ_EXAMPLES=100 .venv/bin/python -m pytest -q tests/api/test_api_fuzzed.py

upstream: .venv/dev         ## procrastinate's own tests on our schema, with its worker and with ours (fetches them)
	.venv/bin/python -m tests.upstream.run stock
	.venv/bin/python -m tests.upstream.run ours

django: .venv/dev           ## Django's own tests of task backends on ours, our tests on each Django, and a site of others' packages (fetches them)
	.venv/bin/python -m tests.upstream.djangos.run

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/demo: pyproject.toml | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[reports,mqtt,storage,graphql,demo]'
	touch $@

.venv/dev: pyproject.toml | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,celery,faces,reports,mqtt,storage,graphql,web,otel]'
	touch $@ .venv/demo
