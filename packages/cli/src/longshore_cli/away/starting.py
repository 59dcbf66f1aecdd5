"""Here: putting the controller of a new run on another machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from longshore import machines
from longshore.config.document import to_document
from longshore.config.renting import read_renting
from longshore.errors import LongshoreError, UsageError
from longshore.machines import open_shell
from longshore.machines.hosts import given_hosts
from longshore.model.rented import WhenIdle
from longshore.model.workflow import WorkflowSpec
from longshore.plugin import Shell
from longshore.runtime.folders import HEAVY_BYTES
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import check
from longshore.runtime.processes import this_process
from longshore.runtime.project import Project, new_run_id
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry
from longshore_cli.away.moving import asked, feed_bytes, open_transfers
from longshore_cli.away.project_files import Sent, described, sent_of
from longshore_cli.away.seats import VERSION, Seat, forget_seat, keep_order, keep_seat, seats_of
from longshore_cli.away.software import bring_software, needed_plugins
from longshore_cli.fleet import agreement
from longshore_cli.fleet_view import amount
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.telling import telling
from longshore_cli.text import counted

__all__ = ["Where", "runs_there", "start_away"]


@frozen(kw_only=True)
class Where:
    """Where a controller is to sit, and what is handed over to it."""

    name: str
    """A host of a pool, a rented machine, or a pool that machines are rented for."""
    handed: tuple[str, ...] = ()
    """Environment variables of this process that it gets."""
    asking: bool = True
    """Whether to ask before a machine is rented without a limit to what it costs."""


def start_away(spec: WorkflowSpec, project: Project, options: RunOptions, where: Where, invocation: Invocation) -> int:
    """Begin a run whose controller is on a machine, and leave it there; give the exit code.

    Raises:
        ConfigError: when the workflow cannot run as it is written; nothing has been done.
        UsageError: when there is no such machine, or the workflow needs what only this computer has.
        LongshoreError: when it cannot be begun there.
    """
    handed = _values(where.handed)
    check(spec, options)
    project.make_home()
    sent = sent_of(project.folder, spec, project.store)
    for notice in described(sent, HEAVY_BYTES):
        say(notice)
    order = {
        "name": spec.name,
        "workflow": to_document(_as_there(spec)),
        "options": evolve(options, copied=True).to_json(),
        "environment": handed,
    }
    run = new_run_id()
    with telling(invocation) as tell:
        machine, rented = _machine(project, where, run, invocation, tell)
        seat = Seat(run=run, workflow=spec.name, machine=machine)
        if rented:
            seat = evolve(seat, rented=rented["name"], when_idle=rented["when_idle"])
        try:
            seat = _seated(spec, project, seat, sent, order | {"rented": rented}, tell)
        except BaseException:
            if rented and not _known(project, run):
                tell(f"ending {seat.rented}")
                machines.down(seat.rented, folder=project.folder)
            raise
    invocation.began = True
    _tell(seat, spec, invocation)
    return 0


def _values(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(f"--hand-over {missing[0]}: there is no such environment variable here")
    return {name: os.environ[name] for name in names}


def _as_there(spec: WorkflowSpec) -> WorkflowSpec:
    """Make a workflow's providers those of another computer of the same owner.

    Which login of this one is meant says nothing there: the machine's own role counts. Whose machines they are stays
    the same, so that this computer finds them.
    """
    tables = dict(spec.providers)
    known = Providers(spec.providers, Registry())
    for name in sorted({pool.provider for pool in spec.pools if pool.provider}):
        table = {"owner": known.open(name).owner} | dict(tables.get(name, {}))
        for key in known.described(name)[0].logins:
            if table.pop(key, None) is not None:
                say(f"providers.{name}.{key} is a login of this computer; there the machine's own counts.")
        tables[name] = table
    return evolve(spec, providers=tables)


def _machine(
    project: Project, where: Where, run: str, invocation: Invocation, tell: Callable[[str], None]
) -> tuple[str, dict[str, str] | None]:
    """Give the machine's name; and, if it was rented now, what whoever asks there is told of it."""
    pool = read_renting(project.folder).pools.get(where.name)
    if pool is None:
        return where.name, None
    if pool.rented is None:
        with tempfile.TemporaryDirectory(prefix="longshore-away-") as aside:
            hosts = [host.name for host in given_hosts(project.folder, Path(aside)) if host.pool.name == pool.name]
        if not hosts:
            raise UsageError(f"pool {pool.name} has no host that a controller could be on")
        return hosts[0], None
    name = f"controller-{run}"
    agree = agreement(invocation, asking=where.asking)
    [machine] = machines.up(pool.name, folder=project.folder, name=name, agree=agree, tell=tell)
    return machine.name, {
        "name": machine.name,
        "when_idle": pool.rented.when_idle,
        "ends_at": f"{machine.ends_at:%Y-%m-%d %H:%M} UTC" if machine.ends_at is not None else "its end time",
        "price": "" if machine.price is None else f"{amount(machine.price.per_hour)}/h",
    }


def _seated(
    spec: WorkflowSpec, project: Project, seat: Seat, sent: Sent, order: dict[str, Any], tell: Callable[[str], None]
) -> Seat:
    with open_shell(seat.machine, folder=project.folder, tell=tell) as shell:
        python = bring_software(shell, needed_plugins(spec), project.store, tell)
        name = _folder_name(spec.name, project)
        seat = evolve(seat, python=python, folder=f".longshore/away/{name}")
        keep_seat(project, seat)
        keep_order(project, seat.run, {key: order[key] for key in ("name", "workflow", "options")})
        tell(f"bringing {counted(len(sent.files), 'file')} there")
        try:
            _begin(shell, seat, name, project, sent, order)
        except LongshoreError:
            if not _is_there(shell, seat):
                forget_seat(project, seat.run)
            raise
    return seat


def _known(project: Project, run: str) -> bool:
    return any(seat.run == run for seat in seats_of(project))


def _folder_name(workflow: str, project: Project) -> str:
    """Name the project's folder there: the same for each run of this project, and of no other."""
    home = f"{this_process().host}:{project.folder.resolve()}"
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', workflow)[:40]}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}"


def _begin(shell: Shell, seat: Seat, name: str, project: Project, sent: Sent, order: dict[str, Any]) -> None:
    with open_transfers(shell, seat.run, project.store) as (transfers, place):
        transfers.put(sent.files)
        request = order | {
            "version": VERSION,
            "run": seat.run,
            "store": f"{place}/store",
            "files": [[item.path, item.sha256, item.size, item.mode] for item in sent.files],
            "links": sent.links,
        }
        with feed_bytes(json.dumps(request).encode()) as feed:
            asked(shell, [*seat.program, "away", "begin", name], feed=feed)


def _is_there(shell: Shell, seat: Seat) -> bool:
    """Say whether the run is known there; also when that cannot be found out, since it must not be forgotten then."""
    try:
        return any(each["run"] == seat.run for each in runs_there(shell, seat.program))
    except LongshoreError:
        return True


def runs_there(shell: Shell, program: Sequence[str]) -> list[dict[str, Any]]:
    """List the runs that have their controllers on a machine, the newest first.

    Raises:
        ExecutorError: when it cannot tell.
    """
    told = json.loads(asked(shell, [*program, "away", "list"]))
    found: list[dict[str, Any]] = told["runs"]
    return found


def _tell(seat: Seat, spec: WorkflowSpec, invocation: Invocation) -> None:
    if invocation.json:
        answer_json({"run": seat.run, "workflow": seat.workflow, "machine": seat.machine, "tasks": len(spec.tasks)})
    elif not invocation.quiet:
        say(f"run {seat.run}: its controller is on {seat.machine}, and this computer may be switched off.")
        say("`longshore status`, `logs`, `explain`, `cancel`, `resume` and `fetch` ask there.")
        if seat.rented:
            say(_how_it_ends(seat, spec))


def _how_it_ends(seat: Seat, spec: WorkflowSpec) -> str:
    if seat.when_idle != WhenIdle.END:
        return f'{seat.rented} stays until its end time, as its pool has when_idle = "{seat.when_idle}".'
    if any(pool.store for pool in spec.pools):
        return f"When the run is over it is left in the pool's store, and {seat.rented} ends itself."
    return f"{seat.rented} ends when all has been fetched after the run's end, or else at its end time."
