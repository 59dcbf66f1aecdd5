"""What attempts a run made, when and where, as rows: read from the journal by SQL, no event is replayed.

Moments are seconds since 1970, as the journal has them. What happened on a machine is told by that machine's clock,
moved by as little as its own record needs: nothing begins before it was asked for, or ends after it was heard of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from longshore.model.outcome import describe_outcome
from longshore.runtime.codec import read_outcome
from longshore.runtime.history import RunReader

__all__ = ["AttemptRow", "RestRow", "read_attempts", "read_rests"]


@frozen(kw_only=True)
class AttemptRow:
    """One attempt, over or not."""

    task: str
    attempt: int
    machine: str
    intended: float
    """When it was handed to the machine."""
    staged: float | None
    """When its inputs were on the machine; None when they were there already, or are not yet."""
    started: float | None
    """When its command began; None when it never did."""
    ended: float | None
    """When its command ended; None while it runs, and when nobody knows."""
    heard: float | None
    """When we learnt that it is over; None while it is not."""
    outcome: str
    """How it ended, in words; empty while it has not."""
    failure: str
    """The failure class; empty when it succeeded, was cancelled or is not over."""
    evidence: str
    cpu_seconds: float
    peak_memory_bytes: int
    workdir: str

    @property
    def seconds(self) -> float | None:
        """How long its command ran; None when it did not, or is not over."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    @property
    def succeeded(self) -> bool:
        """Whether its task succeeded by it."""
        return self.outcome == "exit code 0" and not self.failure


@frozen(kw_only=True)
class RestRow:
    """A time in which a run had no controller."""

    begun: float
    """The last that is known from before."""
    ended: float


# Every event of an attempt has its own kind, so that max finds the one value that there is; a join would be quadratic.
_ATTEMPTS = """
    WITH told AS (
        SELECT seq, kind, at, body, body ->> 'task' AS task, body ->> 'attempt' AS attempt FROM events
        WHERE kind IN ('AttemptIntended', 'InputsStaged', 'AttemptStarted', 'AttemptEnded'))
    SELECT task, attempt, max(body ->> 'machine'), min(at), max(at) FILTER (WHERE kind = 'InputsStaged'),
        max(at) FILTER (WHERE kind = 'AttemptStarted'), max(at) FILTER (WHERE kind = 'AttemptEnded'),
        max(body -> 'outcome'), max(body ->> 'failure'), max(body ->> 'evidence'), max(body ->> 'started_at'),
        max(body ->> 'ended_at'), max(body ->> '$.usage[0]'), max(body ->> '$.usage[1]'),
        max(body ->> 'workdir') FILTER (WHERE kind = 'AttemptEnded')
    FROM told GROUP BY 1, 2 ORDER BY min(seq)
"""


def read_attempts(reader: RunReader) -> list[AttemptRow]:
    """List all attempts in the order in which they were handed out."""
    with reader._reading() as db:
        rows = db.execute(_ATTEMPTS).fetchall()
    return _in_our_time([_attempt(row) for row in rows])


def _attempt(row: Sequence[Any]) -> AttemptRow:
    task, attempt, machine, intended, staged, seen, heard, outcome, failure, evidence, started, ended, *usage = row
    return AttemptRow(
        task=task,
        attempt=attempt,
        machine=machine,
        intended=intended,
        staged=staged,
        started=seen if heard is None else started,
        ended=ended,
        heard=heard,
        outcome="" if outcome is None else describe_outcome(read_outcome(json.loads(outcome))),
        failure=failure or "",
        evidence=evidence or "",
        cpu_seconds=usage[0] or 0.0,
        peak_memory_bytes=usage[1] or 0,
        workdir=usage[2] or "",
    )


def _in_our_time(attempts: Sequence[AttemptRow]) -> list[AttemptRow]:
    """Move what machines say by their own clocks, where these contradict ours."""
    shifts = {machine: _shift(each) for machine, each in _by_machine(attempts).items()}
    return [
        evolve(each, started=each.started + shift, ended=None if each.ended is None else each.ended + shift)
        if each.started is not None and each.heard is not None and (shift := shifts[each.machine])
        else each
        for each in attempts
    ]


def _by_machine(attempts: Iterable[AttemptRow]) -> Mapping[str, list[AttemptRow]]:
    groups: dict[str, list[AttemptRow]] = {}
    for each in attempts:
        groups.setdefault(each.machine, []).append(each)
    return groups


def _shift(attempts: Sequence[AttemptRow]) -> float:
    """Say by how many seconds a machine's clock is to be put forward, at the least, so that causes precede effects."""
    over = [each for each in attempts if each.started is not None and each.heard is not None]
    least = max((each.intended - each.started for each in over if each.started is not None), default=0.0)
    most = min((each.heard - each.ended for each in over if each.heard and each.ended is not None), default=0.0)
    return max(0.0, least) + min(0.0, most)


_RESTS = """
    SELECT before, at FROM (SELECT kind, at, lag(at) OVER (ORDER BY seq) AS before FROM events)
    WHERE kind = 'RunContinued' AND before IS NOT NULL
"""


def read_rests(reader: RunReader) -> list[RestRow]:
    """List the times between two controllers, in their order."""
    with reader._reading() as db:
        return [RestRow(begun=begun, ended=ended) for begun, ended in db.execute(_RESTS)]
