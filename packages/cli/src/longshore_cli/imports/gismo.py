"""Projects of Gismo Cloud Deploy: a folder with config.yaml, entrypoint.py, requirements.txt and Dockerfile.

Its one function, called for each file and matching column, becomes a task with `for_each`, and what it returns a table.
Nothing of the project is executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from longshore.errors import ConfigError, Problem
from longshore_cli.imports.imported import Imported, Remarks, read_text, safe_name
from longshore_cli.imports.plain_yaml import read_yaml

__all__ = ["CALLER_FILE", "import_gismo"]

CALLER_FILE = "call_entrypoint.py"
_CALLER = '''"""Call entrypoint() of this project for one file and column, and write what it returns as result.json."""

import inspect
import json
import os
from urllib.parse import urlsplit

from entrypoint import entrypoint

url = urlsplit(os.environ["file"])
known = {
    "data_bucket": url.netloc or os.environ.get("DATA_BUCKET"),
    "curr_process_file": url.path.lstrip("/"),
    "curr_process_column": os.environ.get("column", ""),
    "solver_name": os.environ.get("SOLVER_NAME"),
    "solver_file": os.environ.get("SOLVER_FILE"),
    "aws_access_key": os.environ.get("AWS_ACCESS_KEY_ID"),
    "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY"),
    "aws_region": os.environ.get("AWS_DEFAULT_REGION"),
}
wanted = inspect.signature(entrypoint).parameters
result = entrypoint(**{name: value for name, value in known.items() if name in wanted})
with open("result.json", "w") as file:
    json.dump(result, file)
'''
_NOT_INPUTS = {"config.yaml", "Dockerfile", "docker-compose.yml", "results", "requirements.txt", CALLER_FILE}
_SERVICES = ("flask", "celery", "redis", "gunicorn", "kubernetes", "flower")
_SETTINGS_LEFT = (
    "acccepted_idle_time", "interval_of_checking_sqs", "scale_eks_nodes_wait_time", "interval_of_wait_pod_ready",
    "num_worker_pods_per_namespace", "is_celeryflower_on",
)  # fmt: skip
_APT = re.compile(r"apt(?:-get)?\s+(?:-\S+\s+)*install\s+(?P<packages>[^&|;]*)")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.=~:-]*")


def import_gismo(folder: Path) -> Imported:
    """Read a project.

    Raises:
        ConfigError: when config.yaml or entrypoint.py is missing, or cannot be read.
    """
    config = read_yaml(read_text(folder / "config.yaml"), str(folder / "config.yaml"))
    remarks = Remarks()
    _check_entrypoint(folder / "entrypoint.py")
    task: dict[str, Any] = {"command": f"python3 {CALLER_FILE}", **_sources(config, remarks)}
    inputs = [CALLER_FILE, *_inputs(folder)]
    task |= {"inputs": inputs, "outputs": ["result.json"], "collect": _table(config, remarks)}
    _licence(config, folder, task, remarks)
    raw: dict[str, Any] = {"name": safe_name(folder.resolve().name, "gismo")}
    environment: dict[str, Any] = {}
    if (folder / "Dockerfile").is_file():
        environment |= _dockerfile(read_text(folder / "Dockerfile"), remarks)
    if (folder / "requirements.txt").is_file():
        environment["pip"] = "requirements.txt"
        _requirements(read_text(folder / "requirements.txt"), remarks)
    if environment:
        raw["environments"] = {"project": environment}
    repeat = config.get("repeat_number_per_round")
    if isinstance(repeat, int) and repeat > 1:
        remarks.say(f"repeat_number_per_round was left out: `longshore run --repeat {repeat}` gives mean and deviation")
    left = [key for key in _SETTINGS_LEFT if config.get(key)]
    if left:
        remarks.say(f"{', '.join(left)} were left out: there are no queues, namespaces and time-outs of a whole run")
    if config.get("saved_bucket"):
        remarks.say("saved_bucket was left out: results come home to results/, `longshore fetch` copies them")
    remarks.say(
        "the function gets AWS keys from the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION; "
        "on other computers than this they come from an env_file"
    )
    remarks.say("objects in buckets need a plugin: `pip install 'longshore-fsspec[s3]'`")
    return Imported(
        raw=raw | {"tasks": {"process": task}},
        remarks=tuple(remarks.said),
        origin="config.yaml of a Gismo project",
        files={CALLER_FILE: _CALLER},
    )


def _check_entrypoint(path: Path) -> None:
    try:
        module = ast.parse(read_text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = Problem(place=str(path), key="", message=f"this is not Python: {error}", remedy="mend it")
        raise ConfigError([problem]) from None
    functions = [each.name for each in module.body if isinstance(each, ast.FunctionDef)]
    if "entrypoint" not in functions:
        message = f"there is no function entrypoint(); there is {', '.join(functions) or 'none'}"
        raise ConfigError([Problem(place=str(path), key="", message=message, remedy="write the function")])


def _sources(config: Mapping[str, Any], remarks: Remarks) -> dict[str, Any]:
    bucket, pattern = config.get("data_bucket"), config.get("file_pattern") or "*"
    columns = config.get("process_column_keywords")
    if isinstance(columns, list):
        columns = "|".join(f"(?:{each})" for each in columns)
    files = config.get("default_process_files")
    if not isinstance(bucket, str) or not bucket:
        remarks.say("data_bucket is missing; write the bucket's name in the place of BUCKET")
        bucket = "BUCKET"
    listed = [each for each in files if isinstance(each, str)] if isinstance(files, list) else []
    file: Any = [f"s3://{bucket}/{each}" for each in listed]
    if not listed:
        # There a pattern was looked for in whole keys, folders included.
        file = {"glob": f"s3://{bucket}/{'**/' if '/' not in str(pattern) else ''}{pattern}"}
        remarks.say("longshore run --first N processes the first N files of the bucket")
    for_each: dict[str, Any] = {"file": file}
    if columns and str(pattern).endswith(".csv"):
        for_each["column"] = {"columns_of": "file", "matching": str(columns)}
        remarks.say("a file without a matching column fails and says so, where it was processed with the column 'None'")
    return {"for_each": for_each, "env": {"DATA_BUCKET": bucket}}


def _inputs(folder: Path) -> list[str]:
    """List what the image had of the project; what is hidden may hold keys, and was no part of it."""
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.name not in _NOT_INPUTS and not entry.name.startswith((".", "longshore")) and entry.name != "in"
    )


def _table(config: Mapping[str, Any], remarks: Remarks) -> str:
    names = config.get("filename")
    wanted = names.get("saved_data") if isinstance(names, dict) else None
    if isinstance(names, dict):
        remarks.say("of filename only saved_data was carried over; `longshore report` writes the others")
    return (
        wanted
        if isinstance(wanted, str) and re.fullmatch(r"[\w-]+\.csv", wanted) and wanted != "errors.csv"
        else "results.csv"
    )


def _licence(config: Mapping[str, Any], folder: Path, task: dict[str, Any], remarks: Remarks) -> None:
    solver = config.get("solver")
    settings = {**config, **solver} if isinstance(solver, dict) else config
    name, file = settings.get("solver_name"), settings.get("solver_lic_file_local_source")
    if not name or not isinstance(file, str) or not file:
        return
    base = Path(file).name
    task["env"] |= {"SOLVER_NAME": str(name), "SOLVER_FILE": base}
    if (folder / file).is_file():
        task["secrets"] = {base: {"file": str(Path(file))}}
        # An input is kept in the cache, and the folder would take the licence along.
        task["inputs"] = [each for each in task["inputs"] if each != Path(file).parts[0]]
        remarks.say(f"the licence {base} is a secret of the task: in its workdir, and in no image, log or journal")
    else:
        remarks.say(f"the licence was left out: there is no file {file}; add secrets.{base!r} = {{ file = ... }}")


def _requirements(text: str, remarks: Remarks) -> None:
    names = {re.split(r"[\s=<>!~;\[]", line.strip(), maxsplit=1)[0].lower() for line in text.splitlines()}
    services = [each for each in _SERVICES if each in names]
    if services:
        remarks.say(f"requirements.txt has {', '.join(services)}, which only Gismo's own services needed")


def _dockerfile(text: str, remarks: Remarks) -> dict[str, list[str]]:
    """Give the packages that the image had installed; tell what else it was."""
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    base = next((line.split()[1] for line in lines if line.upper().startswith("FROM ") and len(line.split()) > 1), "")
    packages = sorted(set(_apt_packages(lines)))
    if packages:
        remarks.say("apt packages of the Dockerfile are put into the system, which takes the right to do so")
    if base:
        remarks.say(f"the Dockerfile is based on {base}; image = {base!r} in the environment runs the tasks in it")
    return {"apt": packages} if packages else {}


def _apt_packages(lines: list[str]) -> Iterator[str]:
    for line in lines:
        for found in _APT.finditer(line):
            yield from (word for word in found["packages"].split() if _PACKAGE.fullmatch(word))
