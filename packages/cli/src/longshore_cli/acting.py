"""Changing runs from a page or a full-screen view: what has a controller is asked, and what has none gets one that
lives on without us.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from longshore.errors import RunError, UsageError
from longshore.runtime.asking import ask
from longshore.runtime.changes import Changes
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.text import clean

__all__ = ["cancel_run", "cancel_tasks", "resume_run", "retry_tasks", "start_run"]

_BEGUN = re.compile(rb"^run ([0-9a-f-]+): ", re.MULTILINE)
_LONGEST = 4000


def cancel_tasks(folder: Path, tasks: Sequence[str]) -> str:
    """Ask a run's controller to end tasks; give what to tell.

    Raises:
        RunError: when the run has no controller.
        UsageError: when it has no such task.
    """
    ask(folder, "cancel", {"tasks": list(tasks)})
    return f"{', '.join(tasks)}: to be cancelled."


def retry_tasks(folder: Path, tasks: Sequence[str]) -> str:
    """Ask a run's controller to try tasks again that have not succeeded; give what to tell.

    Raises:
        RunError: when the run has no controller; one that has ended is continued as a whole.
        UsageError: when it has no such task.
    """
    ask(folder, "retry", {"tasks": list(tasks)})
    return f"{', '.join(tasks)}: to be tried again."


def cancel_run(project: Project, run: str) -> str:
    """End a run, whether somebody controls it or not; give what to tell.

    Raises:
        RunError: when that does not begin.
    """
    info = RunReader(project.run_folder(run)).info()
    if info.state == "running":
        ask(project.run_folder(run), "cancel")
        return f"Run {run} is to be cancelled."
    if not info.resumable:
        return f"Run {run} has ended already: {info.state}."
    _begin(project, ["cancel", run])
    return f"Run {run} is to be cancelled."


def resume_run(project: Project, run: str, *, retry: bool) -> str:
    """Continue a run in a process of its own; give what to tell. With ``retry`` also what did not succeed.

    Raises:
        UsageError: when it has a controller, or has ended and nothing is to be tried again.
        RunError: when it cannot be continued.
    """
    info = RunReader(project.run_folder(run)).info()
    if info.state == "running":
        raise UsageError(f"Run {run} is running already.")
    if not retry and not info.resumable:
        raise UsageError(f"Run {run} has ended: {info.state}.")
    _begin(project, ["resume", run, *(["--retry"] if retry else [])])
    return f"Run {run} goes on."


def start_run(project: Project, *, pay: bool) -> str:
    """Begin a new run of the project's workflow in a process of its own; give its id.

    With ``pay`` machines may be rented though no limit is set.

    Raises:
        RunError: when it cannot begin; nothing runs.
    """
    return _begin(project, ["run", "--new", *(["--yes"] if pay else [])])


def _begin(project: Project, words: Sequence[str]) -> str:
    """Start a command of ours that controls a run, detached, and give the run's id as soon as it does.

    Raises:
        RunError: with what it said, when it ends before.
    """
    project.home.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="begin-", dir=project.home) as folder:
        said = Path(folder, "said")
        with Changes([Path(folder)]) as changes, said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "longshore_cli", *words],
                cwd=project.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
            return _heard(process, said, changes)


def _heard(process: subprocess.Popen[bytes], said: Path, changes: Changes) -> str:
    """Wait until a command says which run it controls."""
    over, mark = os.pipe()

    def attend() -> None:
        # Somebody has to take note of its end, or what is left of it stays; and we may have gone on by then.
        process.wait()
        os.close(mark)

    Thread(target=attend, name="longshore-begun", daemon=True).start()
    ended = False
    try:
        while True:
            found = _BEGUN.search(said.read_bytes())
            if found is not None:
                return found[1].decode()
            if ended:
                raise RunError(_words(said) or f"It ended with exit code {process.returncode}.")
            # Then the file is read once more: it may have written and ended.
            ended = over in changes.wait([over])
    finally:
        os.close(over)


def _words(said: Path) -> str:
    text = clean(said.read_bytes()[-_LONGEST:].decode("utf-8", "replace")).strip()
    return text.removeprefix("longshore: ")
