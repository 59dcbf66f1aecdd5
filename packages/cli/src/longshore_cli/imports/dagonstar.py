"""DagOnStar's workflows as JSON, as its ``as_json()`` writes them. References are written alike there and here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from longshore.errors import ConfigError, Problem
from longshore_cli.imports.imported import Imported, Remarks, as_list, free_name, read_text, safe_name

__all__ = ["import_dagonstar"]

_REFERENCE = re.compile(r"workflow://(?P<workflow>[^/\s'\"]*)/(?P<task>[^/\s'\"]+)/")
# What a command writes at its very end: ``... > output/f1.txt``.
_WRITTEN = re.compile(r"(?<![0-9&<>])>>?\s*(?P<path>[A-Za-z0-9_][\w./-]*)\s*$")
_COMMANDS = ("batch", "checkpoint", "slurm", "cloud", "docker", "kubernetes", "remotebatch", "apptainer", "nomad", "")


def import_dagonstar(path: Path) -> Imported:
    """Read a workflow.

    Raises:
        ConfigError: when it is none.
    """
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise _none(path, f"this is not JSON: {error}") from None
    tasks = document.get("tasks") if isinstance(document, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise _none(path, "there are no tasks")
    remarks = Remarks()
    reading = _Reading(tasks=tasks, remarks=remarks)
    raw = {"name": safe_name(str(document.get("name") or path.stem), "workflow"), "tasks": reading.all()}
    if document.get("host") or document.get("id"):
        remarks.say("id, host, status and working folders belong to a run of DagOnStar, and were left out")
    return Imported(raw=raw, remarks=tuple(remarks.said), origin=path.name)


def _none(path: Path, message: str) -> ConfigError:
    remedy = "name what the as_json() of a DagOnStar workflow has written"
    return ConfigError([Problem(place=str(path), key="", message=message, remedy=remedy)])


@define
class _Reading:
    tasks: Mapping[str, Any]
    remarks: Remarks
    names: dict[str, str] = field(factory=dict[str, str])
    """Ours by theirs."""

    def all(self) -> dict[str, dict[str, Any]]:
        for number, name in enumerate(self.tasks, start=1):
            self.names[name] = free_name(name, dict.fromkeys(self.names.values()), f"task-{number}")
        return {self.names[name]: self._task(name, words) for name, words in self.tasks.items()}

    def _task(self, name: str, words: object) -> dict[str, Any]:
        ours = self.names[name]
        table = words if isinstance(words, dict) else {}
        kind = str(table.get("type") or "").lower().rpartition(".")[2]
        command = table.get("command")
        if not isinstance(command, str) or not command.strip() or kind not in _COMMANDS:
            what = f"is of the type {table.get('type')!r}, which has no command" if kind else "has no command"
            self.remarks.say(f"{ours} {what}; its place is held by a command that fails until you write another")
            return {"command": f"echo 'write the command of {ours}' >&2; exit 1", **self._after(name, table, "")}
        if kind not in {"", "batch", "checkpoint"}:
            self.remarks.say(f"{ours} is of the type {table['type']!r}; it runs where its pool is, by default here")
        if kind == "checkpoint":
            # There it passed when the file was there; reading the file is waiting for it.
            self.remarks.say(f"{ours} was a checkpoint; it copies what it names. Runs can be resumed without any")
            command = f"mkdir -p kept && cp -R {command.strip()} kept/"
        task: dict[str, Any] = {"command": _REFERENCE.sub(self._renamed, command)}
        written = _WRITTEN.search(command)
        if kind == "checkpoint":
            task["outputs"] = ["kept/"]
        elif not self._readers(name) and written is not None and ".." not in written["path"]:
            task["outputs"] = [written["path"]]
        elif not self._readers(name):
            self.remarks.say(f"what {ours} writes is not known, so nothing of it comes home; add outputs = [...]")
        return task | self._after(name, table, command)

    def _renamed(self, found: re.Match[str]) -> str:
        if found["workflow"]:
            return found[0]
        return f"workflow:///{self.names.get(found['task'], found['task'])}/"

    def _after(self, name: str, table: Mapping[str, Any], command: str) -> dict[str, list[str]]:
        """Give the tasks that are waited for though nothing is read of them."""
        read = {found["task"] for found in _REFERENCE.finditer(command) if not found["workflow"]}
        waits = [each for each in as_list(table.get("prevs")) if each not in read and each != name]
        waits += [
            other
            for other, words in self.tasks.items()
            if isinstance(words, dict) and name in as_list(words.get("nexts")) and other not in {*read, *waits, name}
        ]
        for each in [each for each in waits if each not in self.names]:
            self.remarks.say(f"{self.names[name]} waits for {each!r}, which there is not; that was left out")
        after = [self.names[each] for each in waits if each in self.names]
        return {"after": after} if after else {}

    def _readers(self, name: str) -> bool:
        """Say whether another task reads what this one writes."""
        return any(
            found["task"] == name and not found["workflow"]
            for words in self.tasks.values()
            if isinstance(words, dict) and isinstance(words.get("command"), str)
            for found in _REFERENCE.finditer(words["command"])
        )
