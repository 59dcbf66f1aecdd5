"""Here: runs whose controllers are on this computer, kept alive by a keeper that outlives whoever began them."""

from __future__ import annotations

from longshore.config.document import to_document
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import check
from longshore.runtime.project import Project, new_run_id
from longshore_cli.away.keeping import start_keeper
from longshore_cli.away.orders import forget_order, write_order
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.text import counted

__all__ = ["resume_detached", "start_detached", "tell_detached"]


def start_detached(spec: WorkflowSpec, project: Project, options: RunOptions) -> str:
    """Begin a run, and return as soon as it has begun; give its id.

    Raises:
        ConfigError: when the workflow cannot run as it is written; nothing has been made.
        RunError: when it cannot begin; with what its controller said.
    """
    check(spec, options)
    project.make_home()
    run = new_run_id()
    write_order(project, run, {"name": spec.name, "workflow": to_document(spec), "options": options.to_json()})
    try:
        start_keeper(project, run)
    except BaseException:
        if not (project.run_folder(run) / "run.db").exists():
            forget_order(project, run)
        raise
    return run


def resume_detached(
    project: Project, run: str, *, retry: bool = False, cancel: bool = False, jobs: int | None = None
) -> None:
    """Continue a run, with ``cancel`` to end it, and return as soon as somebody controls it.

    Raises:
        RunError: when it cannot be continued; with what its controller said.
        UsageError: when somebody else has just continued it, and it was to be changed.
    """
    words = [*(["--retry"] if retry else []), *(["--cancel"] if cancel else [])]
    start_keeper(project, run, words=[*words, *(["--jobs", str(jobs)] if jobs else [])])


def tell_detached(run: str, workflow: str, tasks: int, invocation: Invocation) -> int:
    """Tell that a run goes on without us; give the exit code."""
    invocation.began = True
    if invocation.json:
        answer_json({"run": run, "workflow": workflow, "tasks": tasks})
    elif not invocation.quiet:
        say(f"run {run}: {counted(tasks, 'task')}, kept on this computer; `longshore status` and `logs -f` follow it.")
    return 0
