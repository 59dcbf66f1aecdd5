"""Looking at runs, live or over, without touching them: everything here reads the journal and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from longshore.errors import JournalError, UsageError
from longshore.model.phase import TaskPhase
from longshore.runtime.lock import is_held
from longshore.runtime.logs import log_paths
from longshore.runtime.schema import SCHEMA_VERSION

# A glance at the tables needs neither events nor the state that is folded of them: they are imported where they are
# read, which takes longer than the glance itself.
if TYPE_CHECKING:
    from longshore.model.events import AttemptEnded, Event, MachineGone
    from longshore.model.workflow import WorkflowSpec
    from longshore.runtime.past import Past
    from longshore.scheduler.state import RunState

__all__ = ["AttemptInfo", "RunInfo", "RunReader", "TaskInfo"]

# A name is that of a task as written; its members have ids such as fit[year=2001].
_MEANT = """ FROM tasks
    WHERE (?1 IS NULL OR phase = ?1) AND (?2 IS NULL OR machine = ?2)
        AND (?3 IS NULL OR id = ?3 OR substr(id, 1, length(?3) + 1) = ?3 || '[') AND (?4 IS NULL OR instr(id, ?4))
"""
_TASKS = "SELECT id, phase, attempts, machine, failure" + _MEANT + "ORDER BY ord LIMIT ?5 OFFSET ?6"
_COUNT = "SELECT count(*)" + _MEANT


@frozen(kw_only=True)
class RunInfo:
    """A run at a glance."""

    id: str
    workflow: str
    state: str
    """succeeded, failed, cancelled or interrupted when it has ended; running, or unfinished when its controller is
    gone.
    """
    started: datetime
    ended: datetime | None
    tasks: int
    phases: dict[str, int] = field(factory=dict)
    """How many tasks are in each phase; those that nothing has happened to yet are waiting."""

    @property
    def resumable(self) -> bool:
        """Whether `resume` would have something to do."""
        return self.state in {"unfinished", "interrupted"}


@frozen(kw_only=True)
class TaskInfo:
    """Where a task stands."""

    id: str
    phase: str
    attempts: int
    machine: str
    failure: str


@frozen(kw_only=True)
class AttemptInfo:
    """One attempt that is over."""

    task: str
    attempt: int
    outcome: str
    failure: str
    evidence: str
    started: datetime | None
    ended: datetime | None
    cpu_seconds: float
    peak_memory_bytes: int
    workdir: str

    @property
    def duration(self) -> timedelta | None:
        """How long the command ran."""
        return None if self.started is None or self.ended is None else self.ended - self.started


class RunReader:
    """Reads the journal of one run. Cheap to make; opens the file for each question, so that nothing is kept locked.

    With ``until`` it tells the run as it stood at that past moment.
    """

    def __init__(self, folder: Path, *, until: datetime | None = None) -> None:
        self.folder = folder
        self.until = until
        self._past = _past(until)

    def info(self) -> RunInfo:
        """Say how the run stands, from its tables: no event is replayed.

        Raises:
            JournalError: when the journal is damaged, or a newer version wrote it.
            UsageError: when there is none.
        """
        with self._reading() as db:
            meta = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('name', 'created', 'total')"))
            counts = dict(db.execute("SELECT phase, count(*) FROM tasks GROUP BY phase"))
            last = db.execute(
                "SELECT kind, at, body FROM events WHERE kind IN ('RunEnded', 'RunContinued', 'RetryAsked')"
                " ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        total = int(meta["total"])
        waiting = total - sum(counts.values()) + counts.get(TaskPhase.WAITING, 0)
        phases = {phase.value: counts.get(phase.value, 0) for phase in TaskPhase}
        phases[TaskPhase.WAITING] = waiting
        ended = last is not None and last[0] == "RunEnded"
        if ended:
            state = json.loads(last[2])["state"]
        else:
            state = "running" if self.until is not None or is_held(self.folder) else "unfinished"
        return RunInfo(
            id=self.folder.name,
            workflow=meta["name"],
            state=state,
            started=datetime.fromisoformat(meta["created"]),
            ended=datetime.fromtimestamp(last[1], UTC) if ended else None,
            tasks=total,
            phases={phase: count for phase, count in phases.items() if count},
        )

    def meta(self) -> dict[str, str]:
        """Read what was written down when the run was made."""
        with self._reading() as db:
            return dict(db.execute("SELECT key, value FROM meta"))

    def fence(self) -> int:
        """Read the highest fence that the journal knows."""
        with self._reading() as db:
            query = "SELECT max(CAST(body ->> 'fence' AS INTEGER)) FROM events WHERE kind = 'RunContinued'"
            return int(db.execute(query).fetchone()[0] or 0)

    def workflow(self) -> WorkflowSpec:
        """Read the workflow as the run began with it; tasks that joined later are in `replay`."""
        from longshore.config.document import from_document  # noqa: PLC0415  as above

        return from_document(self.meta()["workflow"])

    def tasks(
        self,
        phase: str | None = None,
        machine: str | None = None,
        *,
        name: str | None = None,
        search: str | None = None,
        skip: int = 0,
        most: int = -1,
    ) -> list[TaskInfo]:
        """List the tasks to which something has happened, in the order of the workflow.

        Only those in a phase, whose last attempt was on a machine, that are called ``name`` in the workflow, with
        ``search`` in their ids, when these are given; at most ``most`` of them, after so many that are skipped.
        """
        with self._reading() as db:
            rows = db.execute(_TASKS, (phase, machine, name, search, most, skip)).fetchall()
        return [TaskInfo(id=row[0], phase=row[1], attempts=row[2], machine=row[3], failure=row[4]) for row in rows]

    def count_tasks(
        self,
        phase: str | None = None,
        machine: str | None = None,
        *,
        name: str | None = None,
        search: str | None = None,
    ) -> int:
        """Count what `tasks` would list."""
        with self._reading() as db:
            found = db.execute(_COUNT, (phase, machine, name, search)).fetchone()
        return int(found[0])

    def task(self, task: str) -> TaskInfo | None:
        """Say where one task stands; None when nothing has happened to it, or there is none of this id."""
        with self._reading() as db:
            row = db.execute("SELECT id, phase, attempts, machine, failure FROM tasks WHERE id = ?", (task,)).fetchone()
        return (
            None if row is None else TaskInfo(id=row[0], phase=row[1], attempts=row[2], machine=row[3], failure=row[4])
        )

    def attempts(self, task: str | None = None) -> Iterator[AttemptInfo]:
        """List the attempts that are over, of one task or of all, in the order in which they ended."""
        from longshore.model.events import AttemptEnded  # noqa: PLC0415  as above
        from longshore.runtime.codec import decode  # noqa: PLC0415  as above

        with self._reading() as db:
            rows = db.execute(
                "SELECT kind, at, body FROM events WHERE kind = 'AttemptEnded' AND (?1 IS NULL OR body ->> 'task' = ?1)"
                " ORDER BY seq",
                (task,),
            )
            for row in rows:
                event = decode(*row)
                if isinstance(event, AttemptEnded):
                    yield _attempt(event)

    def out_of_reach(self) -> dict[str, MachineGone]:
        """List the machines that are out of reach and may go on with what they have, with the latest that is known."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT kind, at, body FROM events"
                " WHERE kind IN ('MachineAdded', 'MachineGone', 'RunContinued', 'RunEnded') ORDER BY seq"
            ).fetchall()
        if all(kind != "MachineGone" for kind, _, _ in rows):
            return {}
        from longshore.model.events import MachineAdded, MachineGone  # noqa: PLC0415  as above
        from longshore.runtime.codec import decode  # noqa: PLC0415  as above

        found: dict[str, MachineGone] = {}
        for event in (decode(*row) for row in rows):
            match event:
                case MachineGone(over_by=None, machine=name) | MachineAdded(machine=name):
                    found.pop(name, None)
                case MachineGone(machine=name):
                    found[name] = event
                case _:
                    found.clear()
        return found

    def log_paths(self, task: str, attempt: int) -> tuple[Path, Path]:
        """Say where stdout and stderr of an attempt on this computer are. A file that is not there is empty."""
        return log_paths(self.folder, task, attempt)

    def events(
        self, after: int = 0, *, kind: str | None = None, about: str | None = None
    ) -> Iterator[tuple[int, Event]]:
        """Read events with their numbers, oldest first, from the one that follows ``after``.

        Only those of one kind, as in ``InputsFailed``, and only those that name the task ``about``, when these are
        given; the others are passed over unread.
        """
        from longshore.runtime.codec import decode  # noqa: PLC0415  as above

        name = None if about is None else json.dumps(about)
        query = """
            SELECT seq, kind, at, body FROM events
            WHERE seq > ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR instr(body, ?3)) ORDER BY seq
        """
        with self._reading() as db:
            for seq, kind_, at, body in db.execute(query, (after, kind, name)):
                yield seq, decode(kind_, at, body)

    def replay(self) -> RunState:
        """Build the state of the run from its journal."""
        from longshore.scheduler.apply import apply  # noqa: PLC0415  as above
        from longshore.scheduler.building import begin  # noqa: PLC0415  as above

        state = begin(self.workflow())
        for _, event in self.events():
            apply(state, event)
        return state

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                if self._past is not None:
                    self._past.lay_over(db)
                yield db
        except sqlite3.Error as error:
            raise JournalError(f"{self.folder / 'run.db'} is damaged or cannot be read: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        path = self.folder / "run.db"
        if not path.exists():
            raise UsageError(f"there is no run in {self.folder}")
        try:
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
            version = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"{path} is damaged or cannot be read: {error}") from error
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"{path} has format {version}; this version knows up to {SCHEMA_VERSION}: use a newer Longshore"
            )
        return db


def _past(until: datetime | None) -> Past | None:
    if until is None:
        return None
    from longshore.runtime.past import Past  # noqa: PLC0415  few look back

    return Past(until)


def _attempt(event: AttemptEnded) -> AttemptInfo:
    from longshore.model.outcome import describe_outcome  # noqa: PLC0415  as above

    return AttemptInfo(
        task=event.task,
        attempt=event.attempt,
        outcome=describe_outcome(event.outcome),
        failure=event.failure.value if event.failure else "",
        evidence=event.evidence,
        started=event.started_at,
        ended=event.ended_at,
        cpu_seconds=event.usage.cpu_seconds if event.usage else 0.0,
        peak_memory_bytes=event.usage.peak_memory_bytes if event.usage else 0,
        workdir=event.workdir,
    )
