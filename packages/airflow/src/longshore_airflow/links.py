"""Links that Airflow shows beside a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

__all__ = ["ReportLink"]


class ReportLink(BaseOperatorLink):
    """The report of a run, a page that works from disk. Airflow asks for it when the task has been executed."""

    name = "Longshore report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Give its address; empty when there is none."""
        place: str = getattr(operator, "report_place", "")
        return Path(place).as_uri() if place else ""
