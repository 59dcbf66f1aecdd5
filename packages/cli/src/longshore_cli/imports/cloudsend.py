"""CloudSend's configuration: ``config = {...}`` in a Python file, or the same as JSON. Nothing of it is executed.

Its instances become a pool of rented machines, its environments environments, its jobs tasks. A job's script ran in the
folder of its files, and so does its task.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from attrs import define, field

from longshore.errors import ConfigError, Problem
from longshore.model.names import clean_relative
from longshore_cli.imports.imported import Imported, Remarks, as_list, free_name, read_text, safe_name
from longshore_cli.imports.instances import Instances
from longshore_cli.imports.python_values import read_variable

__all__ = ["import_cloudsend"]

_INTERPRETERS = {".py": "python3", ".jl": "julia"}
_PROGRAMS = ("bin/python", "conda-meta")
"""Either is in a folder that is a Python's or conda's environment."""
_WITHOUT_MEANING = {
    "dev": "machines and environments are known by their content",
    "debug": "-v says more",
    "recover": "every run can be resumed",
    "print_deploy": "`longshore logs --env NAME -f` shows what builds print",
    "mutualize_uploads": "files travel once to each machine, by their content",
}


def import_cloudsend(path: Path) -> Imported:
    """Read a configuration; paths in it are relative to its folder.

    Raises:
        ConfigError: when it is none, or has no jobs.
    """
    remarks = Remarks()
    text = read_text(path)
    config = _json(text, path) if path.suffix == ".json" else read_variable(text, "config", str(path), remarks)
    if not isinstance(config, dict):
        raise _none(path, "the configuration is no table")
    reading = _Reading(config=config, folder=path.parent, remarks=remarks)
    raw = reading.workflow(path)
    return Imported(raw=raw, remarks=tuple(remarks.said), origin=path.name)


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _none(path, f"this is not JSON: {error}") from None


def _none(path: Path, message: str) -> ConfigError:
    remedy = "name a configuration of CloudSend, as in config = {'jobs': [...]}"
    return ConfigError([Problem(place=str(path), key="", message=message, remedy=remedy)])


@define
class _Reading:
    config: Mapping[str, Any]
    folder: Path
    remarks: Remarks
    environments: dict[str, dict[str, Any]] = field(factory=dict[str, dict[str, Any]])
    tasks: dict[str, dict[str, Any]] = field(factory=dict[str, dict[str, Any]])

    def workflow(self, path: Path) -> dict[str, Any]:
        jobs = self._tables("jobs")
        if not jobs:
            raise _none(path, "there are no jobs")
        project = self.config.get("project")
        raw: dict[str, Any] = {"name": safe_name(str(project or self.folder.resolve().name), "cloudsend")}
        if isinstance(project, str) and project:
            raw["project"] = safe_name(project, "project")
        self._settings(raw)
        raw |= Instances(self.config, self.remarks).tables(self._tables("instances"))
        for number, words in enumerate(self._tables("environments"), start=1):
            self._environment(words, number)
        for number, job in enumerate(jobs, start=1):
            self._job(job, number)
        if self.environments:
            raw["environments"] = self.environments
        return raw | {"tasks": self.tasks}

    def _tables(self, key: str) -> list[dict[str, Any]]:
        value = self.config.get(key) or []
        tables = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        if not isinstance(value, list) or len(tables) < len(value):
            self.remarks.say(f"{key} has something that is no table; it was left out")
        return tables

    def _settings(self, raw: dict[str, Any]) -> None:
        for key, instead in _WITHOUT_MEANING.items():
            if self.config.get(key):
                self.remarks.say(f"{key} was left out: {instead}")
        if self.config.get("maestro") not in (None, "local"):
            self.remarks.say("maestro was left out: the computer where `longshore run` is called controls the run")
        match self.config.get("job_assign"):
            case "random":
                raw["strategy"] = "random"
            case None:
                pass
            case other:
                self.remarks.say(
                    f"job_assign {other!r} was left out: the most urgent task goes to the first machine with room;"
                    ' strategy = "knapsack" packs them (`pip install longshore-knapsack`)'
                )
        known = {*_WITHOUT_MEANING, "project", "profile", "maestro", "auto_stop", "provider", "job_assign", "region"}
        for key in self.config.keys() - known - {"instances", "environments", "jobs"}:
            self.remarks.say(f"{key} is no setting that is known; it was left out")

    def _environment(self, words: Mapping[str, Any], number: int) -> None:
        name = free_name(str(words.get("name") or "default"), self.environments, f"environment-{number}")
        table: dict[str, Any] = {}
        script = words.get("command")
        if isinstance(script, str) and len(script.split()) > 1:
            self.remarks.say(f"the command of environment {name} was left out: its file has a space in its name")
        elif isinstance(script, str) and self._file(script, f"the command of environment {name}"):
            table["before"] = script
        if as_list(words.get("env_aptget")):
            table["apt"] = as_list(words["env_aptget"])
        for theirs, ours in (("env_conda", "conda"), ("env_pypi", "pip")):
            self._packages(words.get(theirs), f"{theirs} of {name}", ours, table)
        if isinstance(table.get("conda"), list) and as_list(words.get("env_conda_channels")):
            table["channels"] = as_list(words["env_conda_channels"])
        if as_list(words.get("env_julia")):
            table["julia"] = as_list(words["env_julia"])
        if table:
            self.environments[name] = table
        else:
            self.remarks.say(f"the environment {name} was left out, since nothing of it could be carried over")

    def _packages(self, value: object, what: str, key: str, table: dict[str, Any]) -> None:
        """Carry over a list of packages, a file with one, or an environment of this computer."""
        if value and "path" in table:
            self.remarks.say(f"{what} was left out: an environment of this computer is made anew as it is")
        elif not isinstance(value, str):
            if as_list(value):
                table[key] = as_list(value)
        elif not (self.folder / value).is_dir():
            if self._file(value, what):
                table[key] = value
        elif "conda" not in table and any((self.folder / value / each).exists() for each in _PROGRAMS):
            table["path"] = value
        else:
            self.remarks.say(f"{what} was left out: {value} is no environment, or not the only one")

    def _file(self, path: str, what: str) -> bool:
        if not self._inside(path, what):
            return False
        if (self.folder / path).is_file():
            return True
        self.remarks.say(f"{what} was left out: there is no file {path!r} in {self.folder}")
        return False

    def _job(self, job: Mapping[str, Any], number: int) -> None:
        script, command = job.get("run_script"), job.get("run_command")
        where, inputs = "", list[str]()
        if isinstance(script, str) and script.strip():
            path = script.split()[0]
            if posixpath.splitext(path)[1] not in _INTERPRETERS:
                self.remarks.say(
                    f"job {number} was left out: {script!r} is no script of Python or Julia, and never ran"
                )
                return
            where, task = _script(script.strip())
            inputs = [posixpath.normpath(path)]
        elif isinstance(command, str) and command.strip():
            path, task = command.split()[0], {"command": command}
        else:
            self.remarks.say(f"job {number} was left out: it has neither run_script nor run_command")
            return
        name = free_name(posixpath.splitext(posixpath.basename(path))[0], self.tasks, f"job-{number}")
        for key in ("upload_files", "input_files", "input_file"):
            inputs += [posixpath.normpath(posixpath.join(where, each)) for each in as_list(job.get(key))]
        outputs = [
            posixpath.normpath(posixpath.join(where, each))
            for key in ("output_files", "output_file")
            for each in as_list(job.get(key))
            if self._inside(posixpath.normpath(posixpath.join(where, each)), f"an output of {name}")
        ]
        there = [each for each in dict.fromkeys(inputs) if self._there(each, name)]
        if there:
            task["inputs"] = there
        if outputs:
            task["outputs"] = list(dict.fromkeys(outputs))
        else:
            self.remarks.say(f"{name} names no output, so nothing of it comes home; add outputs = [...]")
        self._about(job, name, task)
        self.tasks[name] = task

    def _inside(self, path: str, what: str) -> bool:
        """Say whether a path stays in the project."""
        try:
            clean_relative(path)
        except ValueError as error:
            self.remarks.say(f"{what} was left out: {error}")
            return False
        return True

    def _there(self, path: str, task: str) -> bool:
        if not self._inside(path, f"an input of {task}"):
            return False
        if (self.folder / path).exists():
            return True
        self.remarks.say(f"the input {path} of {task} was left out: there is no such file in {self.folder}")
        return False

    def _about(self, job: Mapping[str, Any], name: str, task: dict[str, Any]) -> None:
        cpus, repeat, environment = job.get("cpus_req"), job.get("repeat"), job.get("env_name")
        if isinstance(cpus, int | float) and cpus > 0:
            task["needs"] = {"cpus": cpus}
        if isinstance(repeat, int) and repeat > 1:
            task["repeat"] = repeat
        if isinstance(environment, str) and environment:
            if safe_name(environment, "") in self.environments:
                task["environment"] = safe_name(environment, "")
            else:
                self.remarks.say(f"{name} names the environment {environment!r}, which there is not; it was left out")
        elif len(self.environments) > 1:
            self.remarks.say(f"{name} names no environment, and there are several; it has none")


def _script(script: str) -> tuple[str, dict[str, Any]]:
    """Give the folder that a script runs in, and its task."""
    path, _, arguments = script.partition(" ")
    where, base = posixpath.split(posixpath.normpath(path))
    if not where:
        return "", {"script": script}
    program = f"{_INTERPRETERS[posixpath.splitext(base)[1]]} {quote(base)}"
    return where, {"command": f"cd {quote(where)} && {program} {arguments.strip()}".rstrip()}
