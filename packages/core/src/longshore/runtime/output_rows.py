"""What the tasks of a run made, when it came home, and why some could not begin: rows, read from the journal."""

from __future__ import annotations

from attrs import frozen

from longshore.runtime.history import RunReader

__all__ = ["MoveRow", "OutputRow", "read_moves", "read_outputs", "read_refusals"]


@frozen(kw_only=True)
class MoveRow:
    """Outputs of a task that came from a machine into the project's store, or that of another machine; or objects that
    a machine got from a bucket.
    """

    task: str
    """Empty for objects, which no task of the run wrote."""
    machine: str
    target: str
    """The other machine; empty for the project's store."""
    at: float
    """When they were there; when they began to move is not known."""
    size_bytes: int


@frozen(kw_only=True)
class OutputRow:
    """One output of a task, or what a Python call returned."""

    task: str
    path: str
    """Empty for what a call returned."""
    kind: str
    size_bytes: int
    sha256: str
    value: str
    """What a call returned, as JSON text."""
    source: str
    """The run in which it was made; empty when it was this one."""


_MOVES = """
    SELECT iif(instr(piece.value ->> 0, '://'), '', substr(piece.value ->> 0, 1, instr(piece.value ->> 0, '/') - 1)),
        body ->> 'source',
        coalesce(body ->> 'target', ''), at, sum(piece.value ->> 2)
    FROM events, json_each(body, '$.artifacts') AS piece
    WHERE kind = 'Moved' AND (?1 IS NULL OR substr(piece.value ->> 0, 1, length(?1) + 1) = ?1 || '/')
    GROUP BY seq, 1 ORDER BY seq LIMIT ?2 OFFSET ?3
"""


def read_moves(reader: RunReader, task: str | None = None, *, skip: int = 0, most: int = -1) -> list[MoveRow]:
    """List what came from machines into the project's store or to others, in the order in which it came.

    Only outputs of one task, when it is given; at most ``most`` rows, after so many that are skipped.
    """
    with reader._reading() as db:
        rows = db.execute(_MOVES, (task, most, skip)).fetchall()
    return [
        MoveRow(task=name, machine=machine, target=target, at=at, size_bytes=size)
        for name, machine, target, at, size in rows
    ]


_OUTPUTS = """
    WITH made AS (
        SELECT seq, body ->> 'task' AS task, body -> 'outputs' AS outputs, body ->> 'result' AS result, '' AS source
        FROM events WHERE kind = 'AttemptEnded' AND body ->> 'failure' IS NULL AND body ->> '$.outcome[0]' = 'exited'
        UNION ALL
        SELECT seq, item.value ->> 0, item.value -> 2, item.value ->> 3, item.value ->> 4
        FROM events, json_each(body, '$.items') AS item
        WHERE kind = 'TasksIdentified' AND json_array_length(item.value) = 5),
      last AS (
        SELECT task, outputs, result, source, max(seq) AS seq FROM made WHERE ?1 IS NULL OR task = ?1 GROUP BY task)
    SELECT task, piece.value ->> 0, piece.value ->> 4, piece.value ->> 2, piece.value ->> 1, NULL, source, seq
    FROM last, json_each(outputs) AS piece
    UNION ALL
    SELECT task, '', 'value', length(CAST(result AS BLOB)), '', result, source, seq FROM last WHERE result IS NOT NULL
    ORDER BY seq LIMIT ?2 OFFSET ?3
"""


def read_outputs(reader: RunReader, task: str | None = None, *, skip: int = 0, most: int = -1) -> list[OutputRow]:
    """List what succeeded tasks have made, here or in an earlier run, in the order in which it was known.

    Only by one task, when it is given; at most ``most`` rows, after so many that are skipped.
    """
    with reader._reading() as db:
        rows = db.execute(_OUTPUTS, (task, most, skip)).fetchall()
    return [
        OutputRow(task=name, path=path, kind=kind, size_bytes=size, sha256=digest, value=value or "", source=source)
        for name, path, kind, size, digest, value, source, _ in rows
    ]


_REFUSALS = """
    SELECT seq, body ->> 'task', body ->> 'reason' FROM events WHERE kind = 'InputsFailed'
    UNION ALL
    SELECT seq, task.value, body ->> 'reason' FROM events, json_each(body, '$.tasks') AS task
    WHERE kind = 'TasksRefused' ORDER BY seq
"""


def read_refusals(reader: RunReader) -> dict[str, str]:
    """Say of each task why its inputs, or a machine for it, could not be had the last time."""
    with reader._reading() as db:
        return {task: reason for _, task, reason in db.execute(_REFUSALS)}
