"""What a shell is offered when a RUN or a TASK is to be completed: only what costs next to nothing to find."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from longshore_cli.places import find_project

__all__ = ["machines", "parameters", "pools", "providers", "reachable", "runs", "runs_and_tasks", "tasks"]

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


def machines(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the machines that the ledger knows of: no cloud is asked while somebody types."""
    import os

    from longshore.errors import LongshoreError
    from longshore.runtime.ledger import Ledger
    from longshore.runtime.ledger_file import default_path

    path = default_path(os.environ)
    if not path.exists():
        return []
    try:
        with Ledger.open(path) as ledger:
            names = [lease.spec.name or lease.machine for lease in ledger.leases() if lease.machine]
    except LongshoreError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)][:_MOST]


def reachable(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer hosts as pools name them, and as POOL/HOST once that is begun; then rented machines."""
    import tempfile
    from pathlib import Path

    from longshore.errors import LongshoreError
    from longshore.machines.hosts import given_hosts
    from longshore_cli.places import folder_of

    try:
        with tempfile.TemporaryDirectory(prefix="longshore-complete-") as aside:
            given = given_hosts(folder_of(ctx.params.get("folder")), Path(aside))
    except LongshoreError:
        given = []
    names = dict.fromkeys(host.name if "/" in incomplete else host.host for host in given)
    hosts = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*hosts, *machines(ctx, parameter, incomplete)][:_MOST]


def pools(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the pools that rent machines."""
    from longshore.config.renting import read_renting
    from longshore.errors import LongshoreError
    from longshore_cli.places import folder_of

    try:
        known = read_renting(folder_of(ctx.params.get("folder"))).pools.values()
    except LongshoreError:
        return []
    return [CompletionItem(pool.name) for pool in known if pool.rented and pool.name.startswith(incomplete)]


def parameters(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the parameters that the workflow file declares, as far as it can be read without executing anything."""
    import tomllib

    from longshore_cli.places import workflow_file

    try:
        text = workflow_file(ctx.params.get("file")).read_text(encoding="utf-8")
        declared = tomllib.loads(text).get("params", {})
    except (click.UsageError, OSError, ValueError):
        return []
    return [CompletionItem(f"{name}=") for name in declared if name.startswith(incomplete)]


def providers(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the providers that are configured."""
    from longshore.config.renting import read_renting
    from longshore.errors import LongshoreError
    from longshore_cli.places import folder_of

    try:
        known = read_renting(folder_of(ctx.params.get("folder"))).providers
    except LongshoreError:
        return []
    return [CompletionItem(name) for name in sorted(known) if name.startswith(incomplete)]


def runs_and_tasks(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer what ``[RUN] [TASK]`` may begin with."""
    return tasks(ctx, parameter, incomplete) + runs(ctx, parameter, incomplete)
