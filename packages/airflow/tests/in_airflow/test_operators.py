"""Operators in a real Airflow: runs, failures, retries, machines, results."""

from __future__ import annotations

from longshore.runtime.history import RunReader
from longshore.runtime.project import Project

from .conftest import Airflow

_HEAD = """
from datetime import datetime
from airflow.sdk import DAG
from longshore_airflow.operators import FetchOperator, LongshoreRunOperator, MachinesDownOperator, MachinesUpOperator
"""
_RUN = (
    _HEAD
    + """
with DAG("a", start_date=datetime(2026, 1, 1), schedule=None) as dag:
    run = LongshoreRunOperator(task_id="run", run_params={{"who": "Ann"}}, deferrable={deferrable})
    fetch = FetchOperator(task_id="fetch", run=run.output, to="{to}")
"""
)
_WORKFLOW = """
name = "pv"
[params]
who = "nobody"
[tasks.hello]
command = "echo hello $who > out.txt; echo x >> {folder}/count"
outputs = ["out.txt"]
[tasks.after]
command = "cat workflow:///hello/out.txt; {more}"
"""


def _write(airflow: Airflow, more: str = "true") -> None:
    text = _WORKFLOW.format(folder=airflow.folder, more=more)
    (airflow.folder / "longshore.toml").write_text(text)
    airflow.connect({"folder": str(airflow.folder)})


def _runs(airflow: Airflow) -> list[RunReader]:
    project = Project(airflow.folder)
    return [RunReader(project.run_folder(run)) for run in project.run_ids()]


def test_a_run_is_a_task_whose_log_tells_what_happens_and_whose_results_the_next_one_fetches(airflow: Airflow) -> None:
    _write(airflow)

    states, written = airflow.execute(_RUN.format(deferrable=False, to=airflow.home / "got"))

    assert states == {"run": "success", "fetch": "success", "(all)": "success"}, written
    assert (airflow.home / "got" / "hello" / "out.txt").read_text() == "hello Ann\n"
    assert "hello succeeded" in written
    [run] = _runs(airflow)
    assert list(airflow.folder.glob(f"results/report-{run.folder.name}/*.html"))


def test_a_deferred_run_is_told_by_the_trigger(airflow: Airflow) -> None:
    _write(airflow)

    states, written = airflow.execute(_RUN.format(deferrable=True, to=airflow.home / "got"))

    assert states == {"run": "success", "fetch": "success", "(all)": "success"}, written
    assert "hello succeeded" in written


def test_a_run_that_fails_makes_its_task_fail_and_says_why(airflow: Airflow) -> None:
    _write(airflow, "echo no luck >&2; exit 3")

    states, written = airflow.execute(_RUN.format(deferrable=False, to=airflow.home / "got"))

    assert states == {"run": "failed", "fetch": "upstream_failed", "(all)": "failed"}
    assert "exit code 3" in written
    assert "no luck" in written


def test_a_task_that_is_executed_again_goes_on_with_the_run_that_it_began(airflow: Airflow) -> None:
    _write(airflow, f"until test -e {airflow.home}/go; do sleep 0.05; done")
    dag = _RUN.format(deferrable=False, to=airflow.home / "got")
    airflow.kill_first(dag, when=(airflow.folder / "count").exists)

    (airflow.home / "go").touch()
    states, written = airflow.execute(dag)

    assert states == {"run": "success", "fetch": "success", "(all)": "success"}, written
    assert (airflow.folder / "count").read_text() == "x\n"
    assert len(_runs(airflow)) == 1


def test_what_failed_is_tried_again_when_the_task_is_and_what_succeeded_is_not(airflow: Airflow) -> None:
    _write(airflow, f"test -e {airflow.home}/go")
    dag = _RUN.format(deferrable=False, to=airflow.home / "got")
    assert airflow.execute(dag)[0]["run"] == "failed"

    (airflow.home / "go").touch()
    states, written = airflow.execute(dag)

    assert states == {"run": "success", "fetch": "success", "(all)": "success"}, written
    assert (airflow.folder / "count").read_text() == "x\n"


def test_machines_are_rented_used_and_ended_whatever_becomes_of_the_run(airflow: Airflow) -> None:
    _write(airflow)
    file = airflow.folder / "longshore.toml"
    file.write_text(
        """
name = "pv"
[pools.cloud]
provider = "sandbox"
executor = "sandbox"
max_cost = "1 USD"
[tasks.hello]
command = "exit 3"
pool = "cloud"
"""
    )
    dag = (
        _HEAD
        + """
with DAG("a", start_date=datetime(2026, 1, 1), schedule=None) as dag:
    up = MachinesUpOperator(task_id="up", machine_pool="cloud", name="ours")
    run = LongshoreRunOperator(task_id="run", deferrable=False)
    down = MachinesDownOperator(task_id="down", machine_pool="cloud")
    up >> run >> down
"""
    )
    states, written = airflow.execute(dag)

    assert states == {"up": "success", "run": "failed", "down": "failed", "(all)": "failed"}, written
    assert "the machines are ended; this task is red because of run" in written
    assert airflow.machines() == []


def test_a_run_of_somebody_else_is_waited_for_and_one_that_failed_makes_the_task_fail(airflow: Airflow) -> None:
    _write(airflow, f"test -e {airflow.home}/go")
    (airflow.home / "go").touch()
    airflow.call("run", "--new", "-q")
    (airflow.home / "go").unlink()
    airflow.call("run", "--new", "--no-cache", "-q", code=1)
    failed, succeeded = [run.folder.name for run in _runs(airflow)]
    dag = f"""
from datetime import datetime
from airflow.sdk import DAG
from longshore_airflow.sensor import LongshoreRunSensor
with DAG("a", start_date=datetime(2026, 1, 1), schedule=None) as dag:
    LongshoreRunSensor(task_id="good", run="{succeeded}")
    LongshoreRunSensor(task_id="bad", run="{failed}")
"""

    states, written = airflow.execute(dag)

    assert states == {"good": "success", "bad": "failed", "(all)": "failed"}, written
    assert f"run {failed} is failed" in written
