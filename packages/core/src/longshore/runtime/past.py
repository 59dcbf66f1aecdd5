"""A run as it stood at a past moment: what its journal said then, laid over what it says now.

Whoever reads ``events``, ``tasks`` and ``meta`` through such a connection reads the past, and needs to know nothing
of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from longshore.config.document import from_document
from longshore.errors import UsageError
from longshore.runtime.codec import decode
from longshore.runtime.journal import TaskRow, task_row
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin

__all__ = ["Past", "moment_of"]

# Names without a schema are looked for among what is temporary first (sqlite.org/lang_naming.html).
_LAYER = """
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE past (last INTEGER NOT NULL, total TEXT NOT NULL);
CREATE TEMP TABLE tasks (
    ord INTEGER PRIMARY KEY, id TEXT NOT NULL, phase TEXT NOT NULL, attempts INTEGER NOT NULL, machine TEXT NOT NULL,
    failure TEXT NOT NULL
);
CREATE TEMP VIEW events AS SELECT * FROM main.events WHERE seq <= (SELECT last FROM past);
CREATE TEMP VIEW meta AS
    SELECT key, CASE key WHEN 'total' THEN (SELECT total FROM past) ELSE value END AS value FROM main.meta;
"""


class Past:
    """What the tables of a journal said at a moment. Worked out once, by replaying what had happened."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        self._last = 0
        self._total = 0
        self._rows: Sequence[TaskRow] | None = None

    def lay_over(self, connection: sqlite3.Connection) -> None:
        """Let a connection, which may be read-only, show the past."""
        if self._rows is None:
            self._rows = self._replayed(connection)
        connection.executescript(_LAYER)
        connection.execute("INSERT INTO past VALUES (?, ?)", (self._last, str(self._total)))
        connection.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?)", self._rows)

    def _replayed(self, connection: sqlite3.Connection) -> list[TaskRow]:
        until = self.until.timestamp()
        query = "SELECT max(seq) FROM main.events WHERE at <= ?"
        self._last = connection.execute(query, (until,)).fetchone()[0] or 0
        [document] = connection.execute("SELECT value FROM main.meta WHERE key = 'workflow'").fetchone()
        state = begin(from_document(document))
        query = "SELECT kind, at, body FROM main.events WHERE seq <= ? ORDER BY seq"
        for row in connection.execute(query, (self._last,)):
            apply(state, decode(*row))
        self._total = len(state.tasks)
        return list(map(task_row, state.moved.values()))


def moment_of(text: str, began: datetime, last: datetime) -> datetime:
    """Understand a moment of a run: a time of day, or a date and a time; in this computer's time zone unless it says
    another one. A time of day means its first after the run began.

    Raises:
        UsageError: when it is neither, or the run was not going on then.
    """
    try:
        moment = _parsed(text.strip(), began)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment; write 14:05, 14:05:30 or 2026-03-14 14:05") from error
    # Moments are shown in whole seconds: who types one of these means what had happened in it, too.
    if not began.replace(microsecond=0) <= moment <= last:
        here = [each.astimezone() for each in (began, last)]
        spans = " to ".join(f"{each:%Y-%m-%d %H:%M:%S}" for each in here)
        raise UsageError(f"{text!r} is no moment of this run, which went on from {spans}")
    return moment


def _parsed(text: str, began: datetime) -> datetime:
    if "-" in text:
        moment = datetime.fromisoformat(text)
        return _ended(moment if moment.tzinfo is not None else moment.astimezone(), text)
    clock = time.fromisoformat(text)
    here = began.astimezone() if clock.tzinfo is None else began.astimezone(clock.tzinfo)
    moment = _ended(datetime.combine(here.date(), clock, clock.tzinfo or here.tzinfo), text)
    return moment if moment >= began.replace(microsecond=0) else moment + timedelta(days=1)


def _ended(moment: datetime, text: str) -> datetime:
    """Give the end of a second that was written without its parts."""
    return moment if "." in text else moment + timedelta(microseconds=999_999)
