"""What `env` does: the environments of this computer, listed, built and removed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from attrs import asdict

from longshore.config.resolve import resolve_environments
from longshore.model.environment import EnvironmentSpec
from longshore.model.names import near
from longshore.model.quantity import format_size
from longshore.runtime.installed import build_here, find_installed, list_installed, remove_installed
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say, warn
from longshore_cli.text import ago, clean, table
from longshore_cli.workflow import load_workflow

__all__ = ["build", "remove", "show"]

_KEY_LENGTH = 12


def show(invocation: Invocation) -> None:
    """List what there is."""
    known = list_installed()
    if invocation.json:
        answer_json({"environments": [{**asdict(each), "place": str(each.place)} for each in known]})
        return
    if not known:
        say("There are no environments on this computer.")
        return
    now = datetime.now(UTC)
    rows = [
        [
            clean(each.name) or "(half built)",
            each.python or "-",
            format_size(each.bytes),
            "now" if each.in_use else ago(each.used, now),
            each.key[:_KEY_LENGTH],
        ]
        for each in known
    ]
    answer(table(rows, ["NAME", "PYTHON", "SIZE", "USED", "KEY"], right=[2]))


def build(invocation: Invocation, names: tuple[str, ...], machines: tuple[str, ...], file: Path | None) -> int:
    """Build environments of a workflow, here or on machines; give the exit code.

    Raises:
        EnvironmentBuildError: for the first that cannot be built here.
        click.UsageError: when the workflow has none of a name.
    """
    loaded = load_workflow(file, ())
    known = {each.name: each for each in resolve_environments(loaded.spec, loaded.folder)}
    chosen = [_named(known, name) for name in names] if names else list(known.values())
    if not known:
        say("The workflow has no environments.")
    elif machines:
        from longshore_cli.building_ahead import build_elsewhere

        return build_elsewhere(invocation, chosen, machines, loaded.folder)
    for each in chosen:
        fresh = build_here(each, output=None if invocation.quiet else sys.stderr.fileno())
        if not invocation.quiet:
            say(f"{each.name} is built." if fresh else f"{each.name} was here already.")
    return 0


def _named(known: dict[str, EnvironmentSpec], name: str) -> EnvironmentSpec:
    if name not in known:
        close = near(name, known)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has: {', '.join(known) or 'none'}"
        raise click.UsageError(f"the workflow has no environment {name!r}; {hint}")
    return known[name]


def remove(names: tuple[str, ...], *, quiet: bool) -> int:
    """Remove environments; give the exit code."""
    code = 0
    for each in [environment for name in names for environment in find_installed(name)]:
        label = f"{clean(each.name) or 'half built'} ({each.key[:_KEY_LENGTH]})"
        if not remove_installed(each):
            warn(f"{label} is left: a run uses it")
            code = 1
        elif not quiet:
            answer(f"removed {label}: {format_size(each.bytes)}")
    return code
