"""How `fetch` gets what tasks have written: from the run's controller while there is one, else from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longshore.errors import UsageError
from longshore.runtime.asking import ask
from longshore.runtime.fetching import fetch, from_buckets
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.scheduler.state import ENDED
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say
from longshore_cli.story import Replayed
from longshore_cli.summary import quoted, shown_path
from longshore_cli.text import clean, counted

__all__ = ["fetch_results", "fetched", "tell_fetched"]

_PATIENCE_SECONDS = 24 * 3600.0
"""Much may have to come from far away; when the controller ends, so does the link to it."""


def fetch_results(
    project: Project, reader: RunReader, tasks: Sequence[str], to: Path, invocation: Invocation, *, now: bool
) -> int:
    """Copy the outputs of these tasks, or of all, and tell; give the exit code. The errors are those of `fetched`."""
    got = fetched(project, reader, tasks, to.absolute(), now=now)
    return tell_fetched(got, reader.folder.name, to.absolute(), invocation, now=now)


def fetched(project: Project, reader: RunReader, tasks: Sequence[str], to: Path, *, now: bool) -> dict[str, Any]:
    """Copy the outputs of these tasks, or of all, to an absolute path; tell what was ``written``, is ``missing`` (by
    task, and why) and ``unready``.

    Raises:
        UsageError: when there is no such task, or one has not ended and ``now`` is not set.
    """
    replayed = Replayed(reader)
    found = [each for name in tasks for each in replayed.find(name)] or list(replayed.state.tasks.values())
    unended = [each.task.id for each in found if each.phase not in ENDED]
    if unended and not now:
        first = f"{unended[0]} has" if len(unended) == 1 else f"{unended[0]} and {len(unended) - 1:,} others have"
        raise UsageError(f"{first} not ended in run {reader.folder.name}; --now fetches what there is")
    if reader.info().state == "running":
        request = {"to": str(to), "tasks": list(tasks)}
        return dict(ask(reader.folder, "fetch", request, timeout=_PATIENCE_SECONDS))
    bring = from_buckets(replayed.state, reader.folder.name, project.store)
    done = fetch(replayed.state, project.store, to, tasks, bring)
    return {
        "written": [str(path) for path in done.written],
        "missing": dict(done.missing),
        "unready": list(done.unready),
    }


def tell_fetched(got: Mapping[str, Any], run: str, to: Path, invocation: Invocation, *, now: bool) -> int:
    """Tell what was fetched; give the exit code."""
    code = 1 if got["missing"] or (got["unready"] and not now) else 0
    if invocation.json:
        answer_json({"run": run, "to": str(to)} | {key: got[key] for key in ("written", "missing", "unready")})
        return code
    for task, reason in got["missing"].items():
        say(f"longshore: {task}: {clean(reason)}; `longshore run --rerun {quoted(task)}` makes it again")
    if invocation.quiet:
        return code
    unready = f", {counted(len(got['unready']), 'task')} did not succeed so far" if got["unready"] else ""
    answer(f"{counted(len(got['written']), 'output')} of run {run} in {shown_path(to)}/{unready}")
    return code
