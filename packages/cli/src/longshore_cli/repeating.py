"""Running a workflow several times, to learn how much its figures differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.model.events import Event
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project, new_run_id
from longshore.runtime.run import Run, start
from longshore_cli.driving import attend
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.report.figures import read_figures
from longshore_cli.report.summary_table import figures_document, summary_table

if TYPE_CHECKING:
    from longshore.model.workflow import WorkflowSpec

__all__ = ["repeat"]


def repeat(spec: WorkflowSpec, project: Project, options: RunOptions, times: int, invocation: Invocation) -> int:
    """Run a workflow ``times`` times, one after another; give the highest of the exit codes.

    A run in which tasks fail does not keep the others from being made; one that is interrupted or cancelled does.
    """
    options = evolve(options, cache=False, group=new_run_id())
    begun: list[Run] = []

    def begin(listen: Callable[[Sequence[Event]], None] | None) -> Run:
        begun.append(start(spec, project.folder, options, listen=listen))
        return begun[-1]

    documents: list[object] = []
    worst = 0
    for number in range(1, times + 1):
        if not invocation.quiet:
            say(f"repetition {number} of {times}")
        worst = max(worst, attend(begin, invocation, answer=documents.append))
        if begun[-1].state not in {"succeeded", "failed"}:
            break
    figures = [read_figures(run.reader()) for run in begun]
    if not invocation.quiet:
        for line in summary_table(figures).lines():
            say(line)
    if invocation.json:
        answer_json({"group": options.group, "runs": documents, "figures": figures_document(figures)})
    return worst
