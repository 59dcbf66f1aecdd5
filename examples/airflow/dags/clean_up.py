"""Each night: end whatever was forgotten, also by projects and computers that are no more."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from longshore_airflow.operators import CleanUpOperator

with DAG("clean_up", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule="0 3 * * *", catchup=False):
    CleanUpOperator(task_id="clean_up", foreign=True)
