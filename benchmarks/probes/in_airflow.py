"""Run one workflow from the shell prompt, and as a task of a DAG of Airflow's, and print what each takes as JSON.

Usage: in_airflow.py, in an empty folder, by the Python of an environment with Airflow and longshore-airflow

The DAG is executed in this process (`DAG.test`), once with the operator and once with one that does nothing, in turns,
after one round that is not counted. Printed are medians in seconds: ``shell``, the command; ``airflow``, the DAG that
does nothing; ``whole``, the DAG that runs the workflow; ``added``, what is left of that without the other two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

ROUNDS = 5
HERE = Path.cwd()
WORKFLOW = """
name = "short"
[params]
round = "none"
[tasks.first]
command = "echo $round > out.txt"
outputs = ["out.txt"]
[tasks.second]
command = "cat workflow:///first/out.txt"
"""
DAGS = f"""
from datetime import datetime
from airflow.sdk import BaseOperator, DAG
from longshore_airflow.operators import LongshoreRunOperator

class Nothing(BaseOperator):
    def execute(self, context):
        return "nothing"

with DAG("ours", start_date=datetime(2026, 1, 1), schedule=None):
    LongshoreRunOperator(
        task_id="run", folder={str(HERE / "project")!r}, report=False, deferrable=False,
        run_params={{"round": "{{{{ ts_nodash }}}}"}},
    )

with DAG("nothing", start_date=datetime(2026, 1, 1), schedule=None):
    Nothing(task_id="run")
"""


def from_the_shell(number: int) -> float:
    """Run the workflow by its command."""
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("longshore")), "run", "--new", "-q", "--param", f"round={number}"]
    subprocess.run(command, cwd=HERE / "project", check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Set Airflow up, and measure."""
    (HERE / "project").mkdir()
    (HERE / "project" / "longshore.toml").write_text(WORKFLOW)
    dags = HERE / "airflow" / "dags"
    dags.mkdir(parents=True)
    (dags / "dags.py").write_text(DAGS)
    os.environ |= {
        "AIRFLOW_HOME": str(HERE / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HERE}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdout=subprocess.DEVNULL)
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = BundleDagBag(str(dags), bundle_path=dags, bundle_name="dags-folder")
    assert not bag.import_errors, bag.import_errors
    sync_bag_to_db(bag, "dags-folder", None)

    def in_airflow(name: str, number: int) -> float:
        at = datetime(2026, 3, 14, tzinfo=UTC) + timedelta(minutes=number)
        began = time.perf_counter()
        done = bag.dags[name].test(logical_date=at, run_after=at)
        took = time.perf_counter() - began
        assert done.state == "success", done.state
        return took

    rounds = [
        (from_the_shell(number), in_airflow("nothing", number), in_airflow("ours", number))
        for number in range(ROUNDS + 1)
    ][1:]
    told = {
        "shell": median(shell for shell, _, _ in rounds),
        "airflow": median(nothing for _, nothing, _ in rounds),
        "whole": median(ours for _, _, ours in rounds),
        "added": median(ours - nothing - shell for shell, nothing, ours in rounds),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
