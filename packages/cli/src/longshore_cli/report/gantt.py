"""Who did what when: bars on lanes of machines. Pure functions; `pictures` draws them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from attrs import evolve, frozen

from longshore.model.quantity import format_size
from longshore.runtime.attempt_rows import AttemptRow
from longshore_cli.report.record import Record
from longshore_cli.text import clean, counted, duration, shorten

__all__ = ["Bar", "Gantt", "fitted", "gantt_of", "kind_of"]

_LONGEST = 200
_SHORTEST_PART = 1 / 1000
"""Transfers that took less of the run's time than this are left out: nobody would see them."""
_LARGE_BYTES = 1 << 20
_FINEST = 50_000
"""Into so many grains a run's time is divided at first, when there are too many bars."""


@frozen(kw_only=True)
class Bar:
    """Something that took time on a machine. Seconds since the run began."""

    machine: str
    lane: int
    """Counts from zero; bars on one lane of a machine do not overlap."""
    begin: float
    end: float
    kind: str
    """succeeded, failed, lost, cancelled, running; inputs, outputs, environment, booting."""
    task: str
    words: str
    count: int = 1
    """How many bars were merged into this one."""


@frozen(kw_only=True)
class Gantt:
    """All bars of a run."""

    bars: tuple[Bar, ...]
    lanes: Mapping[str, int]
    """How many each machine has, in the order in which they came."""
    seconds: float
    """How long the run took."""


def gantt_of(record: Record) -> Gantt:
    """Place everything that happened on a machine on a lane of it."""
    bars = [*_booting(record), *_building(record), *_attempts(record), *_transfers(record)]
    by_machine: dict[str, list[Bar]] = {each.machine: [] for each in record.machines}
    for bar in bars:
        by_machine.setdefault(bar.machine, []).append(bar)
    placed: list[Bar] = []
    lanes: dict[str, int] = {}
    for machine, own in by_machine.items():
        found = _on_lanes(own)
        if found:
            placed += found
            lanes[machine] = 1 + max(bar.lane for bar in found)
    return Gantt(bars=tuple(placed), lanes=lanes, seconds=max(0.0, record.ended - record.began))


def fitted(gantt: Gantt, most: int) -> Gantt:
    """Merge bars of one kind that begin at nearly the same time on one lane, until there are at most ``most`` bars.

    It ends at the latest when each kind has one bar on each lane.
    """
    bars = gantt.bars
    whole = max((bar.end for bar in bars), default=0.0) or 1.0  # all at one moment: any grain merges them
    grain = whole / _FINEST
    while len(bars) > most and grain <= 2 * whole:
        bars = tuple(_merged(bars, grain))
        grain *= 2
    return evolve(gantt, bars=bars)


def _merged(bars: Iterable[Bar], grain: float) -> Iterable[Bar]:
    """Merge bars that begin in the same grain of time."""
    found: dict[tuple[str, int, str, float], Bar] = {}
    for bar in bars:
        key = bar.machine, bar.lane, bar.kind, bar.begin // grain
        before = found.get(key)
        found[key] = bar if before is None else _together(before, bar)
    return found.values()


def _together(one: Bar, other: Bar) -> Bar:
    count = one.count + other.count
    words = f"{counted(count, 'bar')} together"
    return evolve(one, begin=min(one.begin, other.begin), end=max(one.end, other.end), count=count, words=words)


def _on_lanes(bars: Sequence[Bar]) -> list[Bar]:
    """Give each bar the first lane that is free."""
    placed: list[Bar] = []
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for bar in sorted(bars, key=lambda bar: (bar.begin, bar.end)):
        while busy and busy[0][0] <= bar.begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (bar.end, lane))
        placed.append(evolve(bar, lane=lane))
    return placed


def _attempts(record: Record) -> Iterator[Bar]:
    for each in record.attempts:
        end = each.ended or each.heard or record.ended
        begin = each.started or end
        words = f"attempt {each.attempt}: {_how(each)}, {duration(timedelta(seconds=max(0.0, end - begin)))}"
        yield _bar(record, each.machine, begin, end, kind_of(each), each.task, words)


def kind_of(attempt: AttemptRow) -> str:
    """Say in one word how an attempt ended."""
    if attempt.heard is None:
        return "running"
    if attempt.succeeded:
        return "succeeded"
    word = attempt.outcome.partition(":")[0]
    return word if word in {"cancelled", "lost"} else "failed"


def _how(attempt: AttemptRow) -> str:
    return ", ".join(part for part in (attempt.failure, attempt.outcome) if part) or "running"


def _transfers(record: Record) -> Iterator[Bar]:
    least = (record.ended - record.began) * _SHORTEST_PART
    for each in record.attempts:
        if each.staged is not None and each.staged - each.intended >= least:
            yield _bar(record, each.machine, each.intended, each.staged, "inputs", each.task, "inputs travel")
    heard = {each.task: each.heard for each in record.attempts if each.heard is not None}
    for move in record.moves:
        size = format_size(move.size_bytes)
        begin = heard.get(move.task, move.at)
        if move.target:
            # When they left is not known, so that this is a mark and no bar.
            if move.size_bytes >= _LARGE_BYTES:
                words = f"{size} have come from {move.machine}"
                yield _bar(record, move.target, move.at, move.at, "outputs", move.task, words)
        elif move.at - begin >= least:
            yield _bar(record, move.machine, begin, move.at, "outputs", move.task, f"{size} come home")


def _building(record: Record) -> Iterator[Bar]:
    for each in record.builds:
        words = f"environment {each.environment}" + (": there already" if each.reused else "")
        words += f": {each.failure}" if each.failure else ""
        yield _bar(record, each.machine, each.begun, each.ended or record.ended, "environment", "", words)


def _booting(record: Record) -> Iterator[Bar]:
    for lease in record.leases:
        if lease.machine:
            words = f"{lease.kind} is rented and boots"
            yield _bar(
                record, lease.machine, lease.asked, lease.ready or lease.over or record.ended, "booting", "", words
            )


def _bar(record: Record, machine: str, begin: float, end: float, kind: str, task: str, words: str) -> Bar:
    return Bar(
        machine=machine,
        lane=0,
        begin=begin - record.began,
        end=max(begin, end) - record.began,
        kind=kind,
        task=task,
        words=shorten(clean(words), _LONGEST),
    )
