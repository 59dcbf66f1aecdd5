"""What a shell is offered when a RUN or a TASK is to be completed: only what costs next to nothing to find."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from longshore_cli.places import find_project

__all__ = ["runs", "runs_and_tasks", "tasks"]

_MOST = 200


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the runs of the project, newest first."""
    project = find_project(ctx.params.get("folder"))
    return [CompletionItem(run) for run in project.run_ids() if run.startswith(incomplete)][:_MOST]


def tasks(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer tasks as written and, once a name is begun, members too; nothing when there is no run to look at."""
    from longshore.errors import LongshoreError
    from longshore.runtime.history import RunReader

    project = find_project(ctx.params.get("folder"))
    try:
        reader = RunReader(project.run_folder(project.find_run(ctx.params.get("run"))))
        written = [spec.name for spec in reader.workflow().tasks]
        members = [task.id for task in reader.tasks() if "[" in task.id] if incomplete else []
    except (LongshoreError, OSError):
        return []
    return [CompletionItem(name) for name in (*written, *members) if name.startswith(incomplete)][:_MOST]


def runs_and_tasks(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer what ``[RUN] [TASK]`` may begin with."""
    return tasks(ctx, parameter, incomplete) + runs(ctx, parameter, incomplete)
