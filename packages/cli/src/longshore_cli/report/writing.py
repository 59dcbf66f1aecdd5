"""Writing a report: the page, and beside it the same as tables and pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from longshore.errors import UsageError
from longshore_cli.report import tables
from longshore_cli.report.chart import chart
from longshore_cli.report.figures import Figures
from longshore_cli.report.gantt import fitted, gantt_of
from longshore_cli.report.page import page
from longshore_cli.report.record import Record
from longshore_cli.report.summary_table import summary_table
from longshore_cli.text import clean

__all__ = ["PAGE", "write_report"]

PAGE = "report.html"
_PICTURE_PIXELS = 1200
_MOST_BARS = 3 * _PICTURE_PIXELS
"""More would be narrower than a pixel."""


def write_report(record: Record, repetitions: Sequence[Figures], folder: Path) -> list[Path]:
    """Write everything into a folder, replacing what an earlier report wrote there; give the files, the page first.

    Raises:
        UsageError: when what draws pictures is not installed, or the folder cannot be written.
    """
    try:
        from longshore_cli.report import pictures
    except ImportError as error:
        raise UsageError(
            f"a report's pictures need {error.name}; `python -m pip install 'longshore[report]'` brings it. "
            "`longshore report --text` needs nothing more"
        ) from error
    whole = gantt_of(record)
    title = f"When each task of run {record.info.id} ran"
    svg = pictures.to_svg(chart(fitted(whole, _MOST_BARS), width=_PICTURE_PIXELS, title=title))
    contents: dict[str, str | bytes] = {
        PAGE: page(record, repetitions, whole, pictures.drawer),
        "results.csv": tables.results_csv(record),
        "logs.csv": tables.logs_csv(record),
        "errors.csv": tables.errors_csv(record),
        "tasks.csv": tables.tasks_csv(record),
        "performance.txt": _performance(record, repetitions),
        "gantt.svg": svg,
        "gantt.png": pictures.to_png(svg),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, content) for name, content in contents.items()]
    except OSError as error:
        raise UsageError(f"the report cannot be written to {folder}: {error.strerror}; name another --to") from error


def _performance(record: Record, repetitions: Sequence[Figures]) -> str:
    head = f"workflow {clean(record.info.workflow)}, run {record.info.id}"
    return "\n".join([head, "", *summary_table(repetitions).lines(), ""])


def _write(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.replace(path)
    return path
