"""Waiting for a run that somebody else began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException

from longshore_airflow.hook import DEFAULT_CONNECTION, LongshoreHook

__all__ = ["LongshoreRunSensor"]

_GOOD = frozenset({"succeeded"})
_OVER = frozenset({"succeeded", "failed", "cancelled"})


class LongshoreRunSensor(BaseSensorOperator):
    """Waits until a run has succeeded; fails when it ended otherwise. ``run`` is its id, or the beginning of it."""

    template_fields: Sequence[str] = ("folder", "run")

    def __init__(
        self,
        *,
        run: str,
        folder: str | None = None,
        longshore_conn_id: str | None = DEFAULT_CONNECTION,
        **words: Any,
    ) -> None:
        super().__init__(**words)
        self.run = run
        self.folder = folder
        self.longshore_conn_id = longshore_conn_id

    def poke(self, context: Mapping[str, Any]) -> bool:
        """Look once."""
        hook = LongshoreHook(self.longshore_conn_id, folder=self.folder)
        run = hook.project.find_run(self.run)
        state = hook.state(run)
        if state in _OVER - _GOOD:
            raise AirflowException(f"run {run} is {state}")
        return state in _GOOD
