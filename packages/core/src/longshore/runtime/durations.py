"""How long tasks take: what runs of the project recorded, and what a file says."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from longshore.config.fields import describe
from longshore.config.problems import Problems, hint, wrong
from longshore.errors import ConfigError, JournalError, Problem
from longshore.model.artifact import Artifact
from longshore.model.events import AttemptEnded, MembersMade
from longshore.model.outcome import Exited
from longshore.model.quantity import parse_duration
from longshore.model.task import Task
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project

__all__ = ["Durations", "Recorded", "read_durations", "recorded"]

_RUNS = 20
"""Of so many runs, the latest, is the record looked through."""
_EXAMPLE = 'write {"fit": 12.5, "fit[year=2001]": "2 min"}, or lines as in fit,12.5'
_LONGEST_SECONDS = 1e9


@frozen(kw_only=True)
class Recorded:
    """What earlier runs of a workflow tell of the next one."""

    seconds: Mapping[str, float] = field(factory=dict[str, float])
    """By task: how long its last successful attempt took."""
    outputs: Mapping[str, tuple[Artifact, ...]] = field(factory=dict[str, tuple[Artifact, ...]])
    """By task: what that attempt wrote."""
    members: Mapping[str, tuple[tuple[str, ...], ...]] = field(factory=dict[str, tuple[tuple[str, ...], ...]])
    """By task as written: the values that an earlier task's outputs last gave to its parameters."""


def recorded(project: Project, workflow: str) -> Recorded:
    """Look through the latest runs of a workflow. A run whose record cannot be read is passed over."""
    seconds: dict[str, float] = {}
    outputs: dict[str, tuple[Artifact, ...]] = {}
    members: dict[str, tuple[tuple[str, ...], ...]] = {}
    for reader in islice(_runs(project, workflow), _RUNS):
        try:
            ended = dict(_successes(reader))
            made = [event for _, event in reader.events(kind="MembersMade") if isinstance(event, MembersMade)]
        except JournalError:
            continue
        seconds = {task: lasted for task, (lasted, _) in ended.items()} | seconds
        outputs = {task: wrote for task, (_, wrote) in ended.items()} | outputs
        members = {event.name: event.values for event in made} | members
    return Recorded(seconds=seconds, outputs=outputs, members=members)


def _runs(project: Project, workflow: str) -> Iterator[RunReader]:
    for run in project.run_ids():
        reader = RunReader(project.run_folder(run))
        try:
            name = reader.meta().get("name")
        except JournalError:
            continue
        if name == workflow:
            yield reader


def _successes(reader: RunReader) -> Iterator[tuple[str, tuple[float, tuple[Artifact, ...]]]]:
    for _, event in reader.events(kind="AttemptEnded"):
        if (
            isinstance(event, AttemptEnded)
            and event.failure is None
            and isinstance(event.outcome, Exited)
            and event.started_at is not None
            and event.ended_at is not None
        ):
            lasted = max(0.0, (event.ended_at - event.started_at).total_seconds())
            yield event.task, (lasted, event.outputs)


@define
class Durations:
    """Says how long an attempt of each task takes: as given for it, else for all members of its task as written, else
    as recorded for it, else as its siblings took on average, else as is assumed where nothing is known.
    """

    given: Mapping[str, float]
    recorded: Mapping[str, float]
    assumed: float | None
    unknown: dict[str, None] = field(factory=dict, init=False)
    """Tasks as written of which nothing was known when they were asked for."""
    _means: dict[str, float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        sums: dict[str, tuple[float, int]] = {}
        for task, seconds in self.recorded.items():
            total, count = sums.get(task.partition("[")[0], (0.0, 0))
            sums[task.partition("[")[0]] = total + seconds, count + 1
        self._means = {name: total / count for name, (total, count) in sums.items()}
        if self.assumed is None:
            known = [*self.given.values(), *self.recorded.values()]
            self.assumed = sum(known) / len(known) if known else None

    def of(self, task: Task) -> float:
        """Give the seconds of a task; 0 for one of which nothing is known when nothing is assumed either."""
        name = task.spec.name
        for known, key in (
            (self.given, task.id),
            (self.given, name),
            (self.recorded, task.id),
            (self._means, name),
        ):
            if key in known:
                return known[key]
        self.unknown[name] = None
        return self.assumed or 0.0


def read_durations(file: Path, tasks: Sequence[str]) -> dict[str, float]:
    """Read a file that says how long tasks take: a JSON object, or CSV with a task and a duration in each line.

    A task is its id, or the name of the task as written for all its members; a duration is a number of seconds, or text
    with a unit. ``tasks`` are the ids and names that there are.

    Raises:
        ConfigError: with every mistake and its line.
    """
    problems = Problems(lambda _: str(file))
    seconds: dict[str, float] = {}
    known = set(tasks)
    for place, task, value in _rows(file):
        try:
            if task not in known:
                raise wrong(f"there is no task {task!r}", hint(task, known, "name a task of the workflow"))
            seconds[task] = _seconds(value)
        except ValueError as error:
            problems.take_from(place, error)
    problems.check()
    return seconds


def _rows(file: Path) -> Iterable[tuple[str, str, object]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _wrong(str(file), f"the file cannot be read: {reason}", "name a file of durations") from error
    return _json_rows(file, text) if text.lstrip().startswith(("{", "[")) else _csv_rows(file, text)


def _json_rows(file: Path, text: str) -> list[tuple[str, str, object]]:
    try:
        body: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"{file}:{error.lineno}" if isinstance(error, json.JSONDecodeError) else str(file)
        raise _wrong(where, "this is not JSON", _EXAMPLE) from error
    if not isinstance(body, dict):
        raise _wrong(str(file), "the file holds no object", _EXAMPLE)
    return [(str(file), task, value) for task, value in body.items()]


def _csv_rows(file: Path, text: str) -> list[tuple[str, str, object]]:
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    rows: list[tuple[str, str, object]] = []
    try:
        for row in reader:
            place = f"{file}:{reader.line_num}"
            if not row or (reader.line_num == 1 and [cell.strip().lower() for cell in row] == ["task", "seconds"]):
                continue
            if len(row) != 2:
                raise _wrong(place, f"there are {len(row)} columns where two are needed", _EXAMPLE)
            rows.append((place, row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise _wrong(f"{file}:{reader.line_num}", f"this is not CSV: {error}", _EXAMPLE) from error
    return rows


def _seconds(value: object) -> float:
    if isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            seconds = parse_duration(value).total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise wrong(f"{describe(value)} is no duration", 'write seconds as a number, or a text as in "2 min"')
    if not 0 <= seconds <= _LONGEST_SECONDS or math.isnan(seconds):
        raise wrong(f"{value!r} is no time that a task can take", "write a number of seconds from 0 up")
    return seconds


def _wrong(place: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=place, key="", message=message, remedy=remedy)])
