"""Published workflows in WfFormat (https://wfcommons.org, schema 1.5) as workflows of ours, with stand-ins for what
their tasks did: each takes as long as was recorded, and writes files of the recorded sizes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from longshore.config.problems import Problems, wrong
from longshore.config.toml_text import value_of
from longshore.errors import ConfigError, Problem
from longshore.model.names import DistinctNames, near

__all__ = ["WORK", "WORK_FILE", "Translated", "translate"]

WORK_FILE = "work.py"
WORK = '''"""Take some time, and write files: what stands in for the tasks of a published workflow.

Usage: work.py sleep|compute SECONDS [FILE=BYTES ...]
"""

import sys
import time

_, how, seconds, *files = sys.argv
if how == "compute":
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        sum(range(1000))
else:
    time.sleep(float(seconds))
for file in files:
    name, _, size = file.rpartition("=")
    with open(name, "wb") as written:
        left = int(size)
        block = (name.encode() * 8192)[:65536]
        while left > 0:
            left -= written.write(block[: min(left, len(block))])
'''
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 80
_MOST_SECONDS = 1e9
_MOST_BYTES = 2**50


@frozen(kw_only=True)
class Translated:
    """A workflow of ours, and what goes with it."""

    name: str
    toml: str
    seconds: Mapping[str, float]
    """By task: how long it took when it was recorded."""
    inputs: Mapping[str, int]
    """Files that no task writes, by path: their sizes."""


def translate(text: str, place: str, *, scale: float = 1.0, compute: bool = False) -> Translated:
    """Read a document, and write its workflow as a TOML file.

    ``scale`` multiplies how long the stand-ins take; with ``compute`` they keep a core busy and do not sleep.

    Raises:
        ConfigError: when it is no WfFormat of schema 1.5; ``place`` is its name.
    """
    problems = Problems(lambda _: place)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            [Problem(place=place, key="", message=f"this is not JSON: {error}", remedy="name a WfFormat file")]
        ) from None
    if not isinstance(document, dict) or "specification" not in _table(document.get("workflow")):
        message = "this has no workflow.specification, as WfFormat has since its schema 1.5"
        remedy = "convert it, or name another file"
        raise ConfigError([Problem(place=place, key="workflow", message=message, remedy=remedy)])
    reading = _Reading(document, problems)
    reading.read()
    problems.check()
    return reading.written(scale, compute=compute)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@define
class _Job:
    name: str
    parents: list[str]
    reads: list[str]
    writes: list[str]
    seconds: float = 0.0
    cpus: float = 1.0


@define
class _Reading:
    document: Mapping[str, Any]
    problems: Problems
    jobs: dict[str, _Job] = field(factory=dict)
    sizes: dict[str, int] = field(factory=dict)
    _files: DistinctNames = field(factory=DistinctNames)

    def read(self) -> None:
        workflow = self.document["workflow"]
        specification, names = _table(workflow["specification"]), DistinctNames()
        for key, row in self._rows(specification, "specification", "tasks"):
            with_lists = {
                each: self._texts(row.get(each, []), (*key, each)) for each in ("parents", "inputFiles", "outputFiles")
            }
            self.jobs[row["id"]] = _Job(
                names.of(row["id"]), with_lists["parents"], with_lists["inputFiles"], with_lists["outputFiles"]
            )
        if not self.jobs:
            self.problems.add(("workflow", "specification", "tasks"), "there are no tasks", "name another file")
        for key, row in self._rows(specification, "specification", "files"):
            self.sizes[row["id"]] = int(self._number(row.get("sizeInBytes", 0), (*key, "sizeInBytes"), _MOST_BYTES))
        for key, row in self._rows(_table(workflow.get("execution")), "execution", "tasks"):
            job = self.jobs.get(row["id"])
            if job is not None:
                job.seconds = self._number(row.get("runtimeInSeconds", 0), (*key, "runtimeInSeconds"), _MOST_SECONDS)
                job.cpus = self._number(row.get("coreCount", 1), (*key, "coreCount"), 1e6) or 1.0
        for identity, job in self.jobs.items():
            for parent in job.parents:
                if parent not in self.jobs:
                    close = near(parent, self.jobs)
                    remedy = f"did you mean {close[0]!r}?" if close else "add it, or take it out"
                    self.problems.add(("workflow", identity), f"there is no task {parent!r} to wait for", remedy)

    def written(self, scale: float, *, compute: bool) -> Translated:
        name = _UNSAFE.sub("_", str(self.document.get("name") or "imported")).lstrip(".-")[:_LONGEST] or "imported"
        writers: dict[str, list[str]] = {}
        for identity, job in self.jobs.items():
            for file in job.writes:
                writers.setdefault(file, []).append(identity)
        lines = [f"name = {value_of(name)}"]
        given: dict[str, int] = {}
        for job in self.jobs.values():
            lines += self._task(job, writers, given, "compute" if compute else "sleep", scale)
        seconds = {job.name: job.seconds for job in self.jobs.values()}
        return Translated(name=name, toml="\n".join(lines) + "\n", seconds=seconds, inputs=given)

    def _task(
        self, job: _Job, writers: Mapping[str, list[str]], given: dict[str, int], how: str, scale: float
    ) -> list[str]:
        outputs = {self._files.of(file): self.sizes.get(file, 0) for file in job.writes}
        reads: dict[str, None] = {WORK_FILE: None}
        waited: set[str] = set()
        for file in job.reads:
            if file in job.writes:
                continue
            made_by = writers.get(file, [])
            producer = next((each for each in made_by if each in job.parents), made_by[0] if made_by else None)
            if producer is None:
                path = f"inputs/{self._files.of(file)}"
                given[path] = self.sizes.get(file, 0)
                reads[path] = None
            else:
                waited.add(producer)
                reads[f"workflow:///{self.jobs[producer].name}/{self._files.of(file)}"] = None
        after = [self.jobs[parent].name for parent in job.parents if parent not in waited]
        made = [f"{path}={size}" for path, size in outputs.items()]
        lines = [
            "",
            f"[tasks.{value_of(job.name)}]",
            f"command = {value_of(['python3', WORK_FILE, how, f'{job.seconds * scale:.6g}', *made])}",
            f"inputs = {value_of(list(reads))}",
        ]
        if outputs:
            lines.append(f"outputs = {value_of(list(outputs))}")
        if after:
            lines.append(f"after = {value_of(list(dict.fromkeys(after)))}")
        if job.cpus != 1:
            lines.append(f"needs = {{ cpus = {job.cpus:g} }}")
        return lines

    def _rows(self, table: Mapping[str, Any], part: str, name: str) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        rows, key = table.get(name, []), ("workflow", part, name)
        if not isinstance(rows, list):
            self.problems.add(key, "a list is needed here", "mend the file")
            return []
        good: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        seen: set[str] = set()
        for number, row in enumerate(rows):
            here = (*key, str(number))
            if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
                self.problems.add(here, "an object with an id is needed here", "mend the file")
            elif row["id"] in seen:
                self.problems.add(here, f"the id {row['id']!r} is there twice", "give each its own")
            else:
                seen.add(row["id"])
                good.append((here, row))
        return good

    def _texts(self, value: object, key: tuple[str, ...]) -> list[str]:
        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            return list(value)
        self.problems.add(key, "a list of names is needed here", "mend the file")
        return []

    def _number(self, value: object, key: tuple[str, ...], most: float) -> float:
        try:
            if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
                raise wrong("a number is needed here", "mend the file")
            if not 0 <= value <= most:
                raise wrong(f"{value} is no amount that could be", "mend the file")
        except ValueError as error:
            self.problems.take(key, error)
            return 0.0
        return float(value)
