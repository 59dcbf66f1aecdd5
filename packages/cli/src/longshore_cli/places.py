"""Which project, which workflow file and which run are meant when nothing, or little, was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from longshore.runtime.project import Project

__all__ = ["WORKFLOW_FILE", "Words", "find_project", "folder_of", "sort_words", "workflow_file"]

WORKFLOW_FILE = "longshore.toml"


def folder_of(folder: Path | None) -> Path:
    """Give the project's folder: the one named, else the nearest with runs or a workflow file, else this one."""
    here = Path.cwd()
    if folder is not None:
        return here / folder
    for place in (here, *here.parents):
        if (place / WORKFLOW_FILE).is_file() or (place / ".longshore" / "runs").is_dir():
            return place
    return here


def find_project(folder: Path | None) -> Project:
    """Open the project that is meant."""
    from longshore.runtime.project import Project

    return Project(folder_of(folder))


def workflow_file(file: Path | None) -> Path:
    """Give the workflow file: the one that was named, or that of the project.

    Raises:
        click.UsageError: when there is none; it says how to get one.
    """
    if file is not None:
        return file / WORKFLOW_FILE if file.is_dir() else file
    found = folder_of(None) / WORKFLOW_FILE
    if not found.is_file():
        raise click.UsageError(
            f"there is no {WORKFLOW_FILE} in {Path.cwd()} or above it; `longshore init` writes one, or name one"
        )
    return found


Words = tuple[str | None, tuple[str, ...]]
"""A run, if one was named, and tasks."""


def sort_words(project: Project, run: str | None, words: Sequence[str], has_task: Callable[[str, str], bool]) -> Words:
    """Tell a run's id from names of tasks: the first word is a run if one begins so, and is no task of the latest run.

    ``has_task(run, word)`` says whether a run has such a task.
    """
    if run is not None or not words:
        return run, tuple(words)
    ids = list(project.run_ids())
    if ids and any(name.startswith(words[0]) for name in ids) and not has_task(ids[0], words[0]):
        return words[0], tuple(words[1:])
    return None, tuple(words)
