# The commands of this repository. Everything that they make lies in .venv/ and build/.

PYTHON ?= python3
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK = 1

TOX = .venv/bin/tox run --workdir .venv/tox
TWO_AT_A_TIME = .venv/bin/tox run-parallel --workdir .venv/tox --parallel 2
WITH_TOX = tools/make-venv .venv 'tox>=4.20'

.PHONY: help demo test test-k8s full chaos service bench clean

help:  ## list these commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo:  ## run examples/solar twice and report: the second time everything is up to date
	@tools/make-venv build/demo -e ./packages/core -e './packages/cli[report]' -r examples/solar/requirements.txt
	@tools/demo build/demo/bin examples/solar

test:  ## everything that must hold: lint, types, layers, tests of each package, docs, packaging
	@tools/system-packages
	@$(WITH_TOX)
	@$(TWO_AT_A_TIME); status=$$?; tools/test-summary .venv/tox; exit $$status

test-k8s:  ## the tests of pods on a real cluster of this computer, which is built once: ten minutes. Needs root
	@tools/system-packages
	@$(WITH_TOX)
	@tools/test-cluster with $(TOX) -e k8s -- packages/executor-k8s/tests

full: test test-k8s chaos service demo  ## test, and what takes long

service:  ## build the image of the service and lose a container of it; run the examples of Prefect and Dagster
	@tools/system-packages
	@$(WITH_TOX)
	@$(TOX) -e container,prefect,dagster

chaos:  ## kill the controller at many points of many runs; print the matrix of those on rented machines
	@tools/system-packages
	@$(WITH_TOX)
	@LONGSHORE_CHAOS_SEEDS=100 LONGSHORE_CHAOS_EDGES=40 $(TOX) -e core -- packages/core/tests/chaos
	@LONGSHORE_SPARSE_BYTES=10737418240 $(TOX) -e ssh -- packages/executor-ssh/tests/ssh/test_staging.py
	@$(TOX) -e matrix,matrix-aws

bench:  ## measure against other tools; about half an hour. SCENARIOS="fan-1000 help" for a part
	@$(PYTHON) benchmarks/run.py $(SCENARIOS)

clean:  ## remove what these commands made
	rm -rf .venv build
