"""Writing down a workflow that was made of another system's."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import click

from longshore.config.load import Loaded, load
from longshore.errors import UsageError
from longshore_cli.imports.imported import Imported, read_text
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.places import WORKFLOW_FILE
from longshore_cli.text import clean, counted

__all__ = ["import_project", "import_wfformat"]


def import_wfformat(file: Path, folder: Path, scale: float, invocation: Invocation, *, compute: bool) -> None:
    """Write the workflow of a WfFormat file into a folder.

    Raises:
        ConfigError: when the file is no WfFormat, or makes no workflow; nothing is left behind then.
        UsageError: when the folder cannot be written.
        click.UsageError: when something is in the way.
    """
    from longshore.config.wfformat import WORK, WORK_FILE, translate

    done = translate(read_text(file), str(file), scale=scale, compute=compute)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([("task", "seconds"), *done.seconds.items()])
    texts = {WORK_FILE: WORK, "durations.csv": table.getvalue(), WORKFLOW_FILE: done.toml}
    remark = "memory is not carried over, since recordings differ in its unit"
    loaded = _write(folder, texts, done.inputs)
    _tell(folder, loaded, (f"{folder / 'durations.csv'} says how long each task took", remark), invocation)


def import_project(done: Imported, folder: Path, invocation: Invocation) -> None:
    """Write a workflow into a folder, and tell what was not carried over.

    Raises:
        ConfigError: when it makes no workflow; nothing is left behind then.
        UsageError: when the folder cannot be written.
        click.UsageError: when something is in the way.
    """
    _tell(folder, _write(folder, {**done.files, WORKFLOW_FILE: done.text}, {}), done.remarks, invocation)


def _tell(folder: Path, loaded: Loaded, remarks: tuple[str, ...], invocation: Invocation) -> None:
    tasks = len(loaded.spec.tasks)
    if invocation.json:
        answer_json({"file": str(folder / WORKFLOW_FILE), "tasks": tasks, "remarks": [clean(each) for each in remarks]})
    elif not invocation.quiet:
        say(f"{folder / WORKFLOW_FILE} has {counted(tasks, 'task')}.")
        for remark in remarks:
            say(f"- {clean(remark)}")


def _write(folder: Path, texts: Mapping[str, str], sizes: Mapping[str, int]) -> Loaded:
    """Write texts, and files of certain sizes without content; all of it, or nothing when it makes no workflow."""
    there = [name for name in (*texts, *sizes) if (folder / name).exists()]
    if there:
        raise click.UsageError(f"{folder / there[0]} exists already; name another folder by --to, or move it away")
    written: list[Path] = []
    try:
        for path, size in sizes.items():
            _make(folder / path, written)
            with (folder / path).open("xb") as given:
                given.truncate(size)
        for name, content in texts.items():
            _make(folder / name, written)
            (folder / name).write_text(content, encoding="utf-8")
        return load(folder)
    except OSError as error:
        _remove(written)
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    except BaseException:
        _remove(written)
        raise


def _make(path: Path, written: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written.append(path)


def _remove(written: list[Path]) -> None:
    for path in written:
        path.unlink(missing_ok=True)
