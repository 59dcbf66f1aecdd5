"""Each day: rent a machine, count words there, bring the count home, and end the machine whatever has happened."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.sdk import DAG

from longshore_airflow.operators import (
    FetchOperator,
    LongshoreRunOperator,
    MachinesDownOperator,
    MachinesUpOperator,
)

RESULTS = os.environ.get("WORDS_RESULTS", "/srv/results")

with DAG("words", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule="@daily", catchup=False):
    up = MachinesUpOperator(task_id="up", machine_pool="cloud", name="words-{{ ds_nodash }}")
    run = LongshoreRunOperator(task_id="run", run_params={"day": "{{ ds }}"})
    fetch = FetchOperator(task_id="fetch", run=run.output, to=f"{RESULTS}/{{{{ ds }}}}")
    down = MachinesDownOperator(task_id="down", machine_pool="cloud")
    up >> run >> fetch >> down
