"""The tables of a run's record, and which of their formats this is."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MIGRATIONS", "SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE tasks (
    ord INTEGER PRIMARY KEY, id TEXT NOT NULL, phase TEXT NOT NULL, attempts INTEGER NOT NULL, machine TEXT NOT NULL,
    failure TEXT NOT NULL
);
CREATE VIEW attempts AS
    SELECT seq, body ->> 'task' AS task, body ->> 'attempt' AS attempt, body -> 'outcome' AS outcome,
        body ->> 'failure' AS failure, body ->> 'evidence' AS evidence, body ->> 'started_at' AS started_at,
        body ->> 'ended_at' AS ended_at, body ->> '$.usage[0]' AS cpu_seconds, body ->> '$.usage[1]' AS
        peak_memory_bytes, body ->> 'workdir' AS workdir, body -> 'outputs' AS outputs
    FROM events WHERE kind = 'AttemptEnded';
"""

MIGRATIONS: Mapping[int, str] = {}
"""SQL that takes a journal of the version that is the key to the next one."""
