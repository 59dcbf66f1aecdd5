"""Changing runs from a page or a full-screen view: what has a controller is asked, and what has none gets one that
lives on without us.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from longshore.errors import RunError, UsageError
from longshore.runtime.asking import ask
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.away.detaching import resume_detached
from longshore_cli.text import clean

__all__ = ["cancel_run", "cancel_tasks", "resume_run", "retry_tasks", "start_run"]

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
    resume_detached(project, run, cancel=True)
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
    resume_detached(project, run, retry=retry)
    return f"Run {run} goes on."


def start_run(project: Project, *, pay: bool) -> str:
    """Begin a new run of the project's workflow in a process of its own; give its id.

    With ``pay`` machines may be rented though no limit is set.

    Raises:
        RunError: when it cannot begin; nothing runs.
    """
    words = [sys.executable, "-m", "longshore_cli", "run", "--new", "--detach", "--json", *(["--yes"] if pay else [])]
    done = subprocess.run(words, cwd=project.folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        said = clean(done.stderr[-_LONGEST:].decode("utf-8", "replace")).strip().removeprefix("longshore: ")
        raise RunError(said or f"It ended with exit code {done.returncode}.")
    return str(json.loads(done.stdout)["run"])
