"""Deciding what `longshore run` is to do: begin a run, continue one, or let tasks join one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import evolve, frozen

from longshore.errors import JournalError, UsageError
from longshore.model.events import Event, TasksAdded
from longshore.runtime.history import RunReader
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project
from longshore.runtime.run import Run, resume, start
from longshore_cli.driving import attend
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, can_ask, say, warn
from longshore_cli.places import folder_of, workflow_file
from longshore_cli.text import counted
from longshore_cli.workflow import load_workflow, narrowed

if TYPE_CHECKING:
    from longshore.model.workflow import WorkflowSpec

__all__ = ["Wishes", "agree_to_pay", "join", "run"]


@frozen(kw_only=True)
class Wishes:
    """What was typed."""

    file: Path | None
    jobs: int | None
    sets: tuple[str, ...]
    params: tuple[str, ...]
    only: tuple[str, ...]
    first: int | None
    strategy: str | None
    new: bool
    go_on: bool
    no_cache: bool
    rerun: tuple[str, ...]
    keep_workdirs: bool
    fresh: bool
    keep_going: bool | None
    add: Path | None
    run: str | None
    yes: bool
    repeat: int
    locked: str | None
    on: str | None
    hand_over: tuple[str, ...]
    detach: bool

    @property
    def options(self) -> RunOptions:
        """The choices that a run's journal keeps."""
        return RunOptions(
            jobs=self.jobs,
            cache=not self.no_cache,
            rerun=self.rerun,
            keep_workdirs=self.keep_workdirs,
            fresh=self.fresh,
        )


def run(wishes: Wishes, invocation: Invocation) -> int:
    """Begin a run of a workflow, or continue the one that is unfinished; give the exit code."""
    if wishes.new and wishes.go_on:
        raise click.UsageError("--new and --continue contradict each other; give one of them")
    if wishes.repeat > 1 and wishes.go_on:
        raise click.UsageError("--repeat begins new runs, and --continue continues one; give one of them")
    if wishes.run is not None:
        raise click.UsageError("--run goes with --add; `longshore resume RUN` continues a run")
    if wishes.detach and (wishes.on is not None or wishes.repeat > 1):
        raise click.UsageError("--detach leaves one run to a keeper on this computer; leave --on and --repeat out")
    loaded = load_workflow(wishes.file, wishes.sets, strategy=wishes.strategy, params=wishes.params)
    spec = narrowed(loaded, only=wishes.only, first=wishes.first)
    if wishes.keep_going is not None:
        spec = evolve(spec, keep_going=wishes.keep_going)
    _check_reruns(spec, wishes.rerun)
    project = Project(loaded.folder)
    if wishes.locked is not None:
        from longshore_cli.locking import locked

        spec = locked(spec, project, wishes.locked)
    if wishes.hand_over and wishes.on is None:
        raise click.UsageError("--hand-over goes with --on: tasks get variables by `env` and `secrets` in the file")
    if wishes.on is not None:
        return _run_away(spec, project, wishes, wishes.on, invocation)
    if wishes.repeat > 1:
        return _repeat(spec, project, wishes, invocation)
    unfinished = None if wishes.new else _unfinished(project, spec.name)
    if unfinished is not None and _continues(project, unfinished, spec, wishes):
        return _continue(project, unfinished, wishes, invocation)
    agree_to_pay(spec, yes=wishes.yes)
    if wishes.detach:
        from longshore_cli.away.detaching import start_detached, tell_detached

        run = start_detached(spec, project, wishes.options)
        return tell_detached(run, spec.name, len(spec.tasks), invocation)
    return attend(lambda listen: start(spec, loaded.folder, wishes.options, listen=listen), invocation)


def _run_away(spec: WorkflowSpec, project: Project, wishes: Wishes, machine: str, invocation: Invocation) -> int:
    from longshore_cli.away.starting import Where, start_away

    if wishes.repeat > 1 or wishes.go_on:
        raise click.UsageError("--on begins one new run; leave --repeat and --continue out")
    agree_to_pay(spec, yes=wishes.yes)
    where = Where(name=machine, handed=wishes.hand_over, asking=not wishes.yes)
    return start_away(spec, project, wishes.options, where, invocation)


def _repeat(spec: WorkflowSpec, project: Project, wishes: Wishes, invocation: Invocation) -> int:
    from longshore_cli.repeating import repeat

    agree_to_pay(spec, yes=wishes.yes)
    return repeat(spec, project, wishes.options, wishes.repeat, invocation)


def _check_reruns(spec: WorkflowSpec, rerun: tuple[str, ...]) -> None:
    """Refuse a --rerun of what does not exist: it would silently do nothing."""
    known = {task.name for task in spec.tasks}
    for name in rerun:
        if name.partition("[")[0] not in known:
            from longshore.model.names import near

            close = near(name, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(sorted(known)[:10])}"
            raise UsageError(f"--rerun {name}: workflow {spec.name} has no such task; {hint}")


def _unfinished(project: Project, workflow: str) -> str | None:
    """Find the latest run of a workflow, if it can be continued.

    Raises:
        UsageError: when it is running now.
    """
    for name in project.run_ids():
        try:
            info = RunReader(project.run_folder(name)).info()
        except JournalError as error:
            warn(f"run {name} is passed over: {error}")
            continue
        if info.workflow != workflow:
            continue
        if info.state == "running":
            from longshore.runtime.lock import holder

            who = holder(project.run_folder(name))
            raise UsageError(
                f"run {name} of workflow {workflow} is running{f' ({who})' if who else ''}; "
                f"`longshore status` shows it, `longshore run --new` begins another beside it"
            )
        return name if info.resumable else None
    return None


def _continues(project: Project, name: str, spec: WorkflowSpec, wishes: Wishes) -> bool:
    """Say whether to continue the unfinished run; ask when the workflow has changed.

    Raises:
        click.UsageError: when it has, and nobody can be asked.
    """
    before = RunReader(project.run_folder(name)).workflow()
    changes = differences(before, spec)
    if not changes or wishes.go_on:
        return True
    news = f"run {name} is unfinished, and the workflow has changed since it began: {changes}"
    if not can_ask():
        raise click.UsageError(
            f"{news}\n  --continue continues that run as it began, --new begins another with the workflow as it is now"
        )
    say(news)
    choice = click.prompt(
        "continue that run as it began, or begin a new one?",
        type=click.Choice(["continue", "new"]),
        default="new",
        err=True,
    )
    return bool(choice == "continue")


def differences(before: WorkflowSpec, now: WorkflowSpec) -> str:
    """Say in what two workflows differ; empty when they do not."""
    from longshore.config.document import to_document

    if to_document(before) == to_document(now):
        return ""
    old = {task.name: task for task in before.tasks}
    new = {task.name: task for task in now.tasks}
    words = [f"{name} is new" for name in new if name not in old]
    words += [f"{name} is gone" for name in old if name not in new]
    words += [f"{name} is different" for name in new if name in old and new[name] != old[name]]
    if not words:
        return "its settings are different"
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(words[:5]) + more


def _continue(project: Project, name: str, wishes: Wishes, invocation: Invocation) -> int:
    say(f"Run {name} is unfinished and is continued; --new begins another.")
    meta = RunReader(project.run_folder(name)).meta()
    if evolve(RunOptions.from_json(meta["options"]), jobs=wishes.jobs) != wishes.options:
        warn("it keeps the cache and workdir options that it began with")
    if wishes.detach:
        from longshore_cli.away.detaching import resume_detached, tell_detached

        resume_detached(project, name, jobs=wishes.jobs)
        info = RunReader(project.run_folder(name)).info()
        return tell_detached(name, info.workflow, info.tasks, invocation)
    return attend(lambda listen: resume(project.folder, name, jobs=wishes.jobs, listen=listen), invocation)


def agree_to_pay(spec: WorkflowSpec, *, yes: bool) -> None:
    """Ask before machines are rented, unless the file sets a limit or the command line says yes.

    Raises:
        click.UsageError: when nobody can be asked.
        click.Abort: when the answer is no.
    """
    used = {task.pool for task in spec.tasks} if len(spec.pools) > 1 else {pool.name for pool in spec.pools}
    rented = [
        pool for pool in spec.pools if pool.rented is not None and pool.name in used and pool.rented.max_cost is None
    ]
    if not rented or yes or spec.max_cost is not None:
        return
    names = ", ".join(f"{pool.name} ({pool.provider})" for pool in rented)
    if not can_ask():
        raise click.UsageError(f"machines are rented for {names}; say --yes, or set max_cost in the file")
    click.confirm(f"Machines are rented for {names}, which costs money. Go on?", abort=True, err=True)


def join(wishes: Wishes, invocation: Invocation) -> int:
    """Let the tasks of a file join a run that is going on, or one that is continued for it; give the exit code.

    Raises:
        UsageError: when there is no run that they could join.
        ConfigError: with every mistake in the file.
    """
    assert wishes.add is not None
    if wishes.repeat > 1:
        raise click.UsageError("--repeat begins new runs, and --add goes to one that is there; give one of them")
    if wishes.locked is not None:
        raise click.UsageError("--locked is for runs that begin, and --add goes to one that is there; give one of them")
    place = workflow_file(wishes.file).parent if wishes.file is not None else folder_of(None)
    project = Project(place.absolute())
    if (project.home / "away").is_dir():
        from longshore_cli.away.forwarding import meant_seat

        seat, _ = meant_seat(project, {"run": wishes.run})
        if seat is not None:
            from longshore_cli.away.joining import join_away

            spec = join_away(seat, project, lambda reader: _joining(reader, project, wishes), invocation)
            return _tell_joined(seat.run, spec, invocation)
    name = project.find_run(wishes.run) if wishes.run is not None else _open_run(project)
    reader = RunReader(project.run_folder(name))
    spec = _joining(reader, project, wishes)
    info = reader.info()
    if info.state == "running":
        from longshore.config.document import to_document
        from longshore.runtime.asking import ask

        ask(reader.folder, "add", {"document": to_document(spec)})
        return _tell_joined(name, spec, invocation)
    if not info.resumable:
        raise UsageError(f"run {name} has ended ({info.state}), so no task can join it; `longshore run` begins another")

    def begin(listen: Callable[[Sequence[Event]], None] | None) -> Run:
        continued = resume(project.folder, name, jobs=wishes.jobs, listen=listen)
        continued.add(spec)
        return continued

    return attend(begin, invocation)


def _tell_joined(run: str, spec: WorkflowSpec, invocation: Invocation) -> int:
    names = [task.name for task in spec.tasks]
    if invocation.json:
        answer_json({"run": run, "added": names})
    elif not invocation.quiet:
        say(f"{counted(len(names), 'task')} joined run {run}: {', '.join(names[:10])}")
    return 0


def _open_run(project: Project) -> str:
    """Find the newest run that is running, else the newest that can be continued."""
    unfinished: str | None = None
    for name in project.run_ids():
        info = RunReader(project.run_folder(name)).info()
        if info.state == "running":
            return name
        if info.resumable and unfinished is None:
            unfinished = name
    if unfinished is None:
        raise UsageError(f"there is no running or unfinished run in {project.runs}; `longshore run` begins one")
    return unfinished


def _joining(reader: RunReader, project: Project, wishes: Wishes) -> WorkflowSpec:
    """Read the tasks that are to join, checked against those that the run has."""
    began = reader.workflow()
    joined = [event for _, event in reader.events(kind="TasksAdded") if isinstance(event, TasksAdded)]
    has = evolve(began, tasks=(*began.tasks, *(task for event in joined for task in event.tasks)))
    loaded = load_workflow(wishes.add, wishes.sets, params=wishes.params, adding_to=has)
    if loaded.folder.resolve() != project.folder.resolve():
        raise UsageError(
            f"{loaded.file} is not in {project.folder}, where the paths of the run's tasks begin; put it there"
        )
    return narrowed(loaded, first=wishes.first)
