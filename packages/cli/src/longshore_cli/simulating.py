"""How `plan` plays a run beforehand, and shows how it went by each strategy."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from longshore.config.fields import Parser, money, number, size, table, text, whole
from longshore.config.problems import mistakes_of, wrong
from longshore.model.quantity import format_size
from longshore.model.resources import Resources
from longshore.model.workflow import StrategySpec, WorkflowSpec
from longshore.runtime.durations import read_durations
from longshore.runtime.options import RunOptions
from longshore.runtime.simulating import Assumptions, Simulated, simulate
from longshore.scheduler.building import begin
from longshore.scheduler.virtual import MachineUse, Played, VirtualMachine
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json
from longshore_cli.text import clean, counted, duration
from longshore_cli.text import table as columns

if TYPE_CHECKING:
    from longshore.config.load import Loaded

__all__ = ["Wishes", "show_simulation"]

_MACHINE_KEYS: dict[str, Parser] = {
    "cpus": number,
    "memory": size,
    "gpus": whole(),
    "disk": size,
    "slots": whole(1),
    "count": whole(1),
    "price": money,
    "pool": text,
}
_EXAMPLE = '--machine "cpus = 16, count = 2"'


@frozen(kw_only=True)
class Wishes:
    """What was typed."""

    strategies: tuple[str, ...]
    durations: Path | None
    seconds: float | None
    machines: tuple[str, ...]
    boot: timedelta
    bandwidth: int | None


def show_simulation(
    loaded: Loaded, spec: WorkflowSpec, wishes: Wishes, options: RunOptions, invocation: Invocation
) -> int:
    """Play the run by each strategy, and compare; give the exit code, 1 when tasks would be refused.

    Raises:
        LongshoreError: when the run cannot be played.
        click.UsageError: when a machine cannot be understood.
    """
    done = simulate(spec, loaded.folder, _strategies(spec, wishes.strategies), _assumptions(spec, wishes), options)
    code = int(any(played.state != "succeeded" for played in done.runs))
    if invocation.json:
        answer_json(_document(spec, done))
        return code
    answer(_comparison(done.runs))
    if invocation.verbosity > 0:
        for played in done.runs:
            answer(f"\n{played.strategy}:\n{_machines(played.machines)}")
    if not invocation.quiet:
        answer("\n".join(_notes(spec, done)))
    return code


def _strategies(spec: WorkflowSpec, names: Sequence[str]) -> list[StrategySpec]:
    """Give the strategies that were named; the workflow's own has the options that it has there."""
    return [spec.strategy if name == spec.strategy.name else StrategySpec(name=name) for name in names]


def _assumptions(spec: WorkflowSpec, wishes: Wishes) -> Assumptions:
    durations: dict[str, float] = {}
    if wishes.durations is not None:
        state = begin(spec)
        durations = read_durations(wishes.durations, [*state.tasks, *state.groups])
    machines = tuple(_read_machines(spec, wishes.machines))
    return Assumptions(
        durations=durations,
        seconds=wishes.seconds,
        machines=machines,
        boot=wishes.boot,
        bandwidth=wishes.bandwidth,
    )


def _read_machines(spec: WorkflowSpec, texts: Sequence[str]) -> Iterator[VirtualMachine]:
    made = 0
    for written in texts:
        try:
            words = _words(written)
            pool = words.get("pool") or _only_pool(spec)
        except ValueError as error:
            problems = "; ".join(f"{'.'.join(each.below)}: {each.message}".lstrip(": ") for each in mistakes_of(error))
            raise click.UsageError(f"--machine {written!r}: {problems}; write it as in {_EXAMPLE}") from None
        for _ in range(words.get("count", 1)):
            made += 1
            yield VirtualMachine(
                id=f"machine-{made}",
                pool=pool,
                resources=Resources(
                    cpus=float(words["cpus"]),
                    memory_bytes=words.get("memory", 0),
                    gpus=words.get("gpus", 0),
                    disk_bytes=words.get("disk", 0),
                ),
                slots=words.get("slots"),
                price_per_hour=words.get("price"),
                store=f"machine-{made}",
            )


def _words(written: str) -> dict[str, Any]:
    inner = written.strip().removeprefix("{").removesuffix("}")
    try:
        value = tomllib.loads(f"machine = {{ {inner} }}")
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"this is no TOML table: {error}") from None
    if value.keys() != {"machine"}:
        raise wrong("this is more than one table")
    words = table(value["machine"], _MACHINE_KEYS, _EXAMPLE)
    if not words.get("cpus"):
        raise wrong("it is not said how many cpus the machine has")
    return words


def _only_pool(spec: WorkflowSpec) -> str:
    pools = [pool.name for pool in spec.pools]
    if len(pools) > 1:
        raise wrong(f'there are several pools; add pool = "..." with one of: {", ".join(pools)}')
    return pools[0]


def _comparison(runs: Sequence[Played]) -> str:
    rows = [
        [
            played.strategy,
            duration(played.makespan) if played.state == "succeeded" else played.state,
            _costs(played),
            _percent(played.utilisation),
            _percent(min((each.utilisation for each in played.machines), default=0.0)),
            _percent(max((each.utilisation for each in played.machines), default=0.0)),
        ]
        for played in runs
    ]
    return columns(
        rows, ["STRATEGY", "MAKESPAN", "COST", "CPUS IN USE", "LEAST BUSY", "MOST BUSY"], right=[1, 2, 3, 4, 5]
    )


def _machines(uses: Sequence[MachineUse]) -> str:
    rows = [
        [
            use.machine.id,
            use.machine.pool,
            f"{use.machine.resources.cpus:g}",
            f"{use.attempts:,}",
            _percent(use.utilisation),
            "-" if use.cost is None else f"{use.cost.amount:.2f} {use.cost.currency}",
        ]
        for use in uses
    ]
    return columns(rows, ["MACHINE", "POOL", "CPUS", "TASKS", "CPUS IN USE", "COST"], right=[2, 3, 4, 5])


def _costs(played: Played) -> str:
    return ", ".join(f"{cost.amount:.2f} {cost.currency}" for cost in played.costs) or "-"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _notes(spec: WorkflowSpec, done: Simulated) -> Iterator[str]:
    machines = len(done.runs[0].machines) if done.runs else 0
    yield f"workflow {clean(spec.name)}: {counted(done.tasks, 'task')} on {counted(machines, 'machine')}, simulated"
    for played in done.runs:
        for refusal in played.refusals:
            yield f"{played.strategy}: {clean(refusal)}"
    if any(played.moved_bytes for played in done.runs):
        moved = (f"{format_size(played.moved_bytes)} by {played.strategy}" for played in done.runs)
        yield f"data that travels: {', '.join(moved)}"
    if done.up_to_date:
        yield f"{counted(done.up_to_date, 'task')} up to date, for which no time is counted (see --no-cache)"
    if done.unknown:
        names = ", ".join(done.unknown[:5]) + (", ..." if len(done.unknown) > 5 else "")
        shown = duration(timedelta(seconds=done.assumed_seconds))
        yield f"nobody knows how long {names} takes; {shown} each are assumed (see --seconds and --durations)"
    wanted = sorted({task.environment for task in spec.tasks if task.environment})
    if wanted:
        names = ", ".join(map(clean, wanted))
        yield f"nobody knows how long environments take to build; no time is counted for {names}"


def _document(spec: WorkflowSpec, done: Simulated) -> dict[str, Any]:
    return {
        "workflow": spec.name,
        "total": done.tasks,
        "up_to_date": done.up_to_date,
        "unknown": list(done.unknown),
        "assumed_seconds": done.assumed_seconds,
        "strategies": [
            {
                "strategy": played.strategy,
                "state": played.state,
                "seconds": played.makespan.total_seconds(),
                "costs": [{"amount": str(cost.amount), "currency": cost.currency} for cost in played.costs],
                "attempts": len(played.attempts),
                "utilisation": round(played.utilisation, 6),
                "moved_bytes": played.moved_bytes,
                "refusals": list(played.refusals),
                "machines": [_machine_document(use) for use in played.machines],
            }
            for played in done.runs
        ],
    }


def _machine_document(use: MachineUse) -> dict[str, Any]:
    cost = None if use.cost is None else {"amount": str(use.cost.amount), "currency": use.cost.currency}
    return {
        "machine": use.machine.id,
        "pool": use.machine.pool,
        "cpus": use.machine.resources.cpus,
        "attempts": use.attempts,
        "utilisation": round(use.utilisation, 6),
        "seconds": use.up.total_seconds(),
        "cost": cost,
    }
