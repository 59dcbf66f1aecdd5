"""How `plan` shows what a run would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import asdict, define, field

from longshore.model.workflow import WorkflowSpec
from longshore.runtime.options import RunOptions
from longshore.runtime.planning import Planned, plan
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json
from longshore_cli.text import clean, counted, shorten, table

if TYPE_CHECKING:
    from longshore_cli.planned_builds import PlannedBuild

__all__ = ["show_plan"]

_WIDEST = 60


@define
class _Group:
    """All members of one task as written."""

    pool: str
    total: int = 0
    runs: int = 0
    reasons: Counter[str] = field(factory=Counter)
    inputs: dict[str, None] = field(factory=dict)


def show_plan(spec: WorkflowSpec, folder: Path, options: RunOptions, invocation: Invocation) -> None:
    """Show it, by tasks as written; by single tasks when that is asked for.

    Raises:
        ConfigError: when the workflow cannot run as it is written.
    """
    running = set[tuple[str, str]]()
    planned = _noting(plan(spec, folder, options), running)
    if invocation.json:
        tasks = [
            {"task": each.task, "pool": each.pool, "runs": each.runs, "reason": each.reason, "inputs": each.inputs}
            for each in planned
        ]
        runs = sum(1 for each in tasks if each["runs"])
        builds = [asdict(each) for each in _builds(spec, folder, running)]
        document = {"workflow": spec.name, "total": len(tasks), "runs": runs, "tasks": tasks, "environments": builds}
        answer_json(document)
        return
    total, runs = _shown(planned, invocation)
    asked = _builds(spec, folder, running)
    if asked:
        from longshore_cli.planned_builds import build_lines

        for line in build_lines(asked):
            answer(line)
    if runs and any(pool.rented is not None for pool in spec.pools):
        from longshore_cli.rented_plan import rented_lines

        for line in rented_lines(spec):
            answer(line)
    answer(f"workflow {clean(spec.name)}: {counted(total, 'task')}, {runs:,} would run, {total - runs:,} would not")


def _noting(planned: Iterable[Planned], running: set[tuple[str, str]]) -> Iterator[Planned]:
    """Note which tasks as written would run in which pool, as they go by."""
    for each in planned:
        if each.runs:
            running.add((each.task.partition("[")[0], each.pool))
        yield each


def _builds(spec: WorkflowSpec, folder: Path, running: Collection[tuple[str, str]]) -> list[PlannedBuild]:
    if not (spec.environments and running):
        return []
    # Most workflows have no environments, and need not wait for what looks at them.
    from longshore_cli.planned_builds import planned_builds

    return planned_builds(spec, folder, running)


def _shown(planned: Iterable[Planned], invocation: Invocation) -> tuple[int, int]:
    """Show as much as is asked for; say how many tasks there are, and how many would run."""
    if invocation.verbosity > 0 or invocation.quiet:
        found = list(planned)
        if not invocation.quiet:
            _show_tasks(found)
        return len(found), sum(each.runs for each in found)
    groups = _grouped(planned)
    _show_groups(groups)
    return sum(group.total for group in groups.values()), sum(group.runs for group in groups.values())


def _show_tasks(planned: Iterable[Planned]) -> None:
    rows = [
        [each.task, "runs" if each.runs else "-", each.pool, clean(each.reason), _listed(each.inputs)]
        for each in planned
    ]
    answer(table(rows, ["TASK", "", "POOL", "WHY", "INPUTS"]))


def _grouped(planned: Iterable[Planned]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for each in planned:
        name = each.task.partition("[")[0]
        group = groups.get(name)
        if group is None:
            group = groups[name] = _Group(pool=each.pool)
        group.total += 1
        group.runs += each.runs
        group.reasons[each.reason] += 1
        if len(group.inputs) < 10:
            group.inputs.update(dict.fromkeys(each.inputs))
    return groups


def _show_groups(groups: dict[str, _Group]) -> None:
    rows = [
        [name, f"{group.runs:,}/{group.total:,}", group.pool, _reasons(group.reasons), _listed(tuple(group.inputs))]
        for name, group in groups.items()
    ]
    answer(table(rows, ["TASK", "RUNS", "POOL", "WHY", "INPUTS"], right=[1]))


def _reasons(reasons: Counter[str]) -> str:
    most = reasons.most_common(2)
    if len(reasons) == 1:
        return shorten(clean(most[0][0]), _WIDEST)
    shown = "; ".join(f"{count:,}: {clean(reason)}" for reason, count in most)
    return shorten(shown + ("; ..." if len(reasons) > len(most) else ""), _WIDEST)


def _listed(inputs: tuple[str, ...]) -> str:
    return shorten(", ".join(map(clean, inputs)), _WIDEST)
