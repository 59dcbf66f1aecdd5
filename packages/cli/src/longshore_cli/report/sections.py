"""The tables of the page, each about one thing. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money, format_size
from longshore.runtime.attempt_rows import AttemptRow
from longshore.runtime.fleet_rows import BuildRow
from longshore_cli.report.gantt import kind_of
from longshore_cli.report.graph import outcomes
from longshore_cli.report.html import Html, details, element, joined, table
from longshore_cli.report.record import Record, written_name
from longshore_cli.report.spending import UNUSED, spending_of
from longshore_cli.report.summary_table import money
from longshore_cli.text import counted, counts, duration, last_lines, shorten

__all__ = ["environments", "machines", "slowest", "spending", "tasks", "trouble"]

_MOST_SLOW = 20
_MOST_ROWS = 100
_MOST_LINES = 30
_LONGEST_LINE = 80


def tasks(record: Record) -> Html:
    """Tell of each task as written how its members stand, and what they took."""
    stands = outcomes(record)
    groups: dict[str, list[AttemptRow]] = {}
    for each in record.attempts:
        groups.setdefault(written_name(each.task), []).append(each)
    rows = [
        [spec.name, f"{stands[spec.name].total():,}", counts(stands[spec.name]), *_took(groups.get(spec.name, []))]
        for spec in record.workflow.tasks[:_MOST_ROWS]
    ]
    headings = [
        "task",
        "tasks",
        "how they stand",
        "attempts",
        "mean",
        "shortest",
        "longest",
        "in series",
        "cpu",
        "memory",
    ]
    found = [table("Tasks as they were written", headings, rows, numbers=(1, *range(3, 10)))]
    return joined([*found, *_more(len(record.workflow.tasks), "tasks.csv")])


def _took(attempts: Sequence[AttemptRow]) -> list[str]:
    times = list({each.task: each.seconds for each in attempts if each.succeeded and each.seconds is not None}.values())
    measured = (
        [_seconds(value) for value in (sum(times) / len(times), min(times), max(times), sum(times))] if times else []
    )
    cpu = sum(each.cpu_seconds for each in attempts)
    memory = max((each.peak_memory_bytes for each in attempts), default=0)
    return [
        f"{len(attempts):,}",
        *(measured or ["-"] * 4),
        _seconds(cpu) if attempts else "-",
        format_size(memory) if memory else "-",
    ]


def slowest(record: Record) -> Html:
    """Tell which attempts took longest."""
    ended = sorted(
        (each for each in record.attempts if each.seconds is not None), key=lambda each: -(each.seconds or 0.0)
    )
    if not ended:
        return element("p", "Nothing has run.")
    rows = [
        [each.task, _seconds(each.seconds), _share(each), kind_of(each), each.machine, str(each.attempt)]
        for each in ended[:_MOST_SLOW]
    ]
    # What matters comes first: on a phone the rest is to be scrolled to.
    headings = ["task", "time", "cpu", "state", "machine", "attempt"]
    return joined(
        [
            table("The attempts that took longest", headings, rows, numbers=(1, 2, 5)),
            *_more(len(ended), "logs.csv", _MOST_SLOW),
        ]
    )


def _share(attempt: AttemptRow) -> str:
    """Say how busy a command was: 100 % is one core."""
    return f"{attempt.cpu_seconds / attempt.seconds:.0%}" if attempt.seconds else "-"


def trouble(record: Record) -> Html:
    """Tell what failed, why, and what was done about it."""
    failed = [each for each in record.attempts if kind_of(each) in {"failed", "lost"}]
    refused = [
        name for name, task in record.stands.items() if task.phase in {"failed", "lost"} and name not in record.by_task
    ]
    if not failed and not refused:
        return element("p", "Nothing failed.")
    rows = [_failed_row(record, each) for each in failed[:_MOST_ROWS]]
    rows += [_refused_row(record, name) for name in refused[: _MOST_ROWS - len(rows)]]
    headings = ["task", "proof", "class", "how", "then", "machine", "attempt"]
    tried = sum(_then(record, each) == "tried again" for each in failed)
    words = f"{counted(len(failed), 'attempt')} failed; tried again: {tried:,}."
    found = [element("p", words), table("Attempts that failed", headings, rows, numbers=(6,), words=(1,))]
    return joined([*found, *_more(len(failed) + len(refused), "errors.csv")])


def _failed_row(record: Record, each: AttemptRow) -> list[str | Html]:
    failure, then = each.failure or "lost", _then(record, each)
    return [each.task, _proof(each.evidence, failure), failure, each.outcome, then, each.machine, str(each.attempt)]


def _refused_row(record: Record, name: str) -> list[str | Html]:
    failure = record.stands[name].failure
    return [name, _proof(record.refusals.get(name, ""), failure), failure, "did not begin", "given up", "-", "-"]


def _then(record: Record, attempt: AttemptRow) -> str:
    if record.by_task[attempt.task][-1] is not attempt:
        return "tried again"
    return "given up" if record.phase(attempt.task) in {"failed", "lost"} else record.phase(attempt.task)


def _proof(evidence: str, failure: str) -> str | Html:
    """Show the line that says most, and the rest on demand: the last one, but of a build what it was that failed."""
    lines = last_lines(evidence, _MOST_LINES)
    if len(lines) < 2:
        return "".join(lines)
    most = lines[-1]
    if failure == FailureClass.ENVIRONMENT:
        [most] = last_lines(evidence.strip().partition("\n")[0], 1)
        lines[0] = most
    return details(shorten(most, _LONGEST_LINE), "\n".join(lines))


def machines(record: Record) -> Html:
    """Tell which machines there were, what they did and what they cost."""
    costs = {each.machine: each for each in record.leases if each.machine}
    rows = []
    for each in record.machines[:_MOST_ROWS]:
        attempts = record.by_machine.get(each.machine, [])
        lease = costs.get(each.machine)
        boot = _seconds(lease.ready - lease.asked) if lease is not None and lease.ready is not None else "-"
        kind = f"{lease.kind}{', spot' if lease.spot else ''}" if lease is not None else "-"
        cost = money(lease.cost) if lease is not None and lease.cost is not None else "-"
        busy = _seconds(sum(attempt.seconds or 0.0 for attempt in attempts))
        rows.append([each.machine, each.pool, kind, boot, f"{len(attempts):,}", busy, cost, each.reason])
    headings = ["machine", "pool", "type", "boot", "attempts", "time of attempts", "cost", "gone because"]
    found = [table("Machines that could take attempts", headings, rows, numbers=(3, 4, 5, 6), words=(7,))]
    return joined([*found, *_more(len(record.machines), "logs.csv")])


def spending(record: Record) -> Html:
    """Tell what each pool and each task as written cost."""
    if not record.leases:
        return element("p", "Nothing was rented.")
    found = spending_of(record)
    pools = [[pool, _sums(costs)] for pool, costs in found.by_pool.items()]
    dearest = sorted(found.by_written.items(), key=lambda item: -sum(cost.amount for cost in item[1]))
    written = [[name, _sums(costs)] for name, costs in dearest if name != UNUSED]
    rest = ["paid for while no task used it", _sums(found.by_written.get(UNUSED, ()))]
    words = "What a machine cost is divided among the tasks that ran on it by their cpus and their time."
    return joined(
        [
            table("Cost by pool", ["pool", "cost"], pools, numbers=(1,)),
            element("p", words),
            table("Cost by task", ["task", "cost"], [*written[:_MOST_ROWS], rest], numbers=(1,)),
            *_more(len(written), "tasks.csv"),
        ]
    )


def environments(record: Record) -> Html:
    """Tell which environments were built where, and what is in them."""
    if not record.builds:
        return element("p", "No task has an environment.")
    rows: list[list[str | Html]] = [
        [
            each.environment,
            each.machine,
            "there already" if each.reused else each.failure or ("built" if each.ended is not None else "not over"),
            _seconds(each.ended - each.begun) if each.ended is not None else "-",
            each.python,
            _locks(each) if each.locks else _proof(each.evidence, each.failure),
        ]
        for each in record.builds[:_MOST_ROWS]
    ]
    headings = ["environment", "machine", "how", "time", "Python", "locked"]
    return table("Environments that were built", headings, rows, numbers=(3,), words=(5,))


def _locks(build: BuildRow) -> Html:
    """Show what is installed on demand, by the names of the files that lie with the results."""
    names = [f"{build.environment}.{suffix}" for suffix in build.locks]
    return joined(details(name, text) for name, text in zip(names, build.locks.values(), strict=True))


def _more(count: int, file: str, shown: int = _MOST_ROWS) -> Iterable[Html]:
    if count > shown:
        yield element("p", f"{count - shown:,} more are in {file}.")


def _seconds(value: float | None) -> str:
    return "-" if value is None else duration(timedelta(seconds=value))


def _sums(costs: Sequence[Money]) -> str:
    return ", ".join(map(money, costs)) or "-"
