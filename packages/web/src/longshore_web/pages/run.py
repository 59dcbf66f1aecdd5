"""A run at a glance: how many tasks stand where, the graph, and each task as written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from longshore.runtime.history import TaskInfo
from longshore.runtime.overview import Group
from longshore_cli.report.figures import add_up
from longshore_cli.report.graph import MOST_BOXES, graph_svg
from longshore_cli.report.html import Html, element, joined, table
from longshore_cli.report.summary_table import money
from longshore_cli.text import counted, counts
from longshore_web.frame import View, run_page
from longshore_web.html import NOTHING, facts, link, state

__all__ = ["overview_page"]

_DONE = ("succeeded", "up to date")


def overview_page(view: View, failed: Sequence[TaskInfo], actions: Html) -> str:
    """Write the first page of a run; ``failed`` are the first tasks that failed or were lost."""
    return run_page(view, "", _parts(view, failed, actions))


def _parts(view: View, failed: Sequence[TaskInfo], actions: Html) -> Iterator[Html]:
    yield _phases(view)
    # Each part has its place, also when it is empty: so what is below stays what it is when a page renews itself.
    yield element("div", actions, class_="actions")
    yield element("div", _failures(view, failed) if failed else NOTHING)
    yield _graph(view)
    yield element("h3", "Tasks as written")
    yield _groups(view)
    yield _machines(view)


def _phases(view: View) -> Html:
    info = view.overview.info
    done = sum(info.phases.get(phase, 0) for phase in _DONE)
    items = [
        element(
            "li", link(f"{count:,} {phase}", view.to("tasks", phase=phase), class_=f"state {phase.replace(' ', '-')}")
        )
        for phase, count in info.phases.items()
    ]
    label = f"{done:,} of {counted(info.tasks, 'task')} done"
    bar = element("progress", label, value=str(done), max=str(max(1, info.tasks)), aria_label=label)
    return joined([element("p", bar, f" {label}"), element("ul", joined(items), class_="phases")])


def _failures(view: View, failed: Sequence[TaskInfo]) -> Html:
    rows: list[list[str | Html]] = [
        [view.task(each.id), state(each.phase), each.failure, str(each.attempts), each.machine] for each in failed
    ]
    headings = ["task", "state", "class", "attempts", "machine"]
    total = sum(view.overview.info.phases.get(phase, 0) for phase in ("failed", "lost"))
    more = element("p", link(f"All {total:,}", view.to("tasks", phase="failed"))) if total > len(failed) else NOTHING
    return joined([element("h3", "What failed"), table("Tasks that failed", headings, rows, numbers=(3,)), more])


def _graph(view: View) -> Html:
    stands = {group.name: Counter(group.phases) for group in view.overview.groups}
    picture = graph_svg(view.overview.shape.workflow, stands)
    if not picture:
        return element("p", f"A graph of more than {MOST_BOXES} boxes is not drawn; the table below has them all.")
    attributes = {"class_": "wide graph", "role": "region", "tabindex": "0", "aria_label": "Graph of the workflow"}
    return joined([element("h3", "Graph"), element("div", Html(picture), **attributes)])


def _groups(view: View) -> Html:
    rows = [_group(view, group) for group in view.overview.groups]
    return table("Tasks as they are written, and where they stand", ["task", "tasks", "state"], rows, numbers=(1,))


def _group(view: View, group: Group) -> list[str | Html]:
    to = view.task(group.name) if group.tasks == 1 else link(group.name, view.to("tasks", name=group.name))
    return [to, f"{group.tasks:,}", counts(group.phases)]


def _machines(view: View) -> Html:
    overview = view.overview
    there = sum(machine.row.gone is None for machine in overview.machines)
    costs = add_up(lease.cost_until(view.moment) for lease in overview.leases)
    words = ", ".join(map(money, costs)) or "nothing that is known"
    pairs: list[tuple[str, str | Html]] = [
        ("Machines", link(f"{there:,} there, {len(overview.machines):,} in all", view.to("machines"))),
        ("Cost", words),
    ]
    return joined([element("h3", "Machines"), facts(pairs)])
