"""Writing down a workflow that others have published."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from longshore.config.load import load
from longshore.config.wfformat import WORK, WORK_FILE, translate
from longshore.errors import UsageError
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.places import WORKFLOW_FILE
from longshore_cli.text import counted

__all__ = ["import_wfformat"]


def import_wfformat(file: Path, folder: Path, scale: float, invocation: Invocation, *, compute: bool) -> None:
    """Write the workflow of a WfFormat file into a folder.

    Raises:
        ConfigError: when the file is no WfFormat, or makes no workflow; nothing is left behind then.
        UsageError: when the file cannot be read, or the folder not be written.
        click.UsageError: when something is in the way.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    done = translate(text, str(file), scale=scale, compute=compute)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([("task", "seconds"), *done.seconds.items()])
    texts = {WORK_FILE: WORK, "durations.csv": table.getvalue(), WORKFLOW_FILE: done.toml}
    there = [name for name in (*texts, *done.inputs) if (folder / name).exists()]
    if there:
        raise click.UsageError(f"{folder / there[0]} exists already; name another folder by --to")
    written: list[Path] = []
    try:
        for path, size in done.inputs.items():
            _make(folder / path, written)
            with (folder / path).open("xb") as given:
                given.truncate(size)
        for name, content in texts.items():
            _make(folder / name, written)
            (folder / name).write_text(content, encoding="utf-8")
        load(folder)
    except OSError as error:
        _remove(written)
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    except BaseException:
        _remove(written)
        raise
    if not invocation.quiet:
        tasks = counted(len(done.seconds), "task")
        say(f"{folder / WORKFLOW_FILE} has {tasks}, {folder / 'durations.csv'} says how long each took.")


def _make(path: Path, written: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written.append(path)


def _remove(written: list[Path]) -> None:
    for path in written:
        path.unlink(missing_ok=True)
