"""An Airflow of the tests' own: a database of its own, and DAGs that are executed in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

_SECONDS = 120.0
_RUN = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
DagBundlesManager().sync_bundles_to_db()
bag = BundleDagBag(sys.argv[1], bundle_path=Path(sys.argv[1]), bundle_name="dags-folder")
assert not bag.import_errors, bag.import_errors
sync_bag_to_db(bag, "dags-folder", None)
at = datetime(2026, 3, 14, 9, 26, 53, tzinfo=timezone.utc)
done = bag.dags[sys.argv[2]].test(logical_date=at, run_after=at)
for each in done.get_task_instances():
    print("TASK", each.task_id, each.state)
print("TASK", "(all)", done.state)
"""


class Airflow:
    """Executes DAGs."""

    def __init__(self, home: Path, database: Path) -> None:
        self.home = home
        self.folder = home / "project"
        self.folder.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "LANG": "C.UTF-8",
        }

    def connect(self, extra: Mapping[str, object]) -> None:
        """Make the default connection."""
        self.env["AIRFLOW_CONN_LONGSHORE_DEFAULT"] = json.dumps({"conn_type": "longshore", "extra": json.dumps(extra)})

    def begin(self, text: str, dag: str = "a") -> subprocess.Popen[str]:
        """Execute a DAG, and do not wait for its end."""
        dags = self.home / "airflow" / "dags"
        dags.mkdir(parents=True, exist_ok=True)
        (dags / "a_dag.py").write_text(text)
        command = [sys.executable, "-c", _RUN, str(dags), dag]
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def kill_first(self, text: str, *, when: Callable[[], bool]) -> None:
        """Begin to execute a DAG, and kill Airflow with all that it has started when something can be seen."""
        process = self.begin(text)
        deadline = time.monotonic() + _SECONDS
        glance = threading.Event()
        while not when():
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[0]
            glance.wait(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def machines(self) -> list[object]:
        """List the machines that the user has."""
        found: list[object] = json.loads(self.call("machines", "list", "--json"))["machines"]
        return found

    def call(self, *words: str, code: int = 0) -> str:
        """Call the command; give what it writes to stdout."""
        command = [sys.executable, "-m", "longshore_cli", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, check=False, timeout=_SECONDS
        )
        assert done.returncode == code, done.stderr
        return done.stdout.decode()

    def execute(self, text: str, dag: str = "a") -> tuple[dict[str, str], str]:
        """Execute a DAG; give the states of its tasks, and all that was written."""
        process = self.begin(text, dag)
        written = process.communicate(timeout=_SECONDS)[0]
        lines = [line.split() for line in written.splitlines() if line.startswith("TASK ")]
        return {name: state for _, name, state in lines}, written


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty database of Airflow's, to be copied."""
    home = tmp_path_factory.mktemp("airflow")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=_SECONDS)
    return home / "airflow.db"


@pytest.fixture
def airflow(tmp_path: Path, database: Path) -> Airflow:
    """Give one that knows no DAG."""
    own = tmp_path / "airflow.db"
    own.write_bytes(database.read_bytes())
    return Airflow(tmp_path, own)
