"""What forms of the pages do: begin, cancel and resume runs, cancel tasks and try them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from longshore.errors import UsageError
from longshore.runtime.history import RunReader
from longshore_cli import acting
from longshore_web.entering import form_of
from longshore_web.html import address
from longshore_web.site import Missing, Site

__all__ = ["cancel", "cancel_task", "resume", "retry_task", "start"]


async def start(request: Request) -> Response:
    """Begin a new run of the project's workflow, and show it."""

    def act(site: Site, form: Mapping[str, str]) -> str:
        return address("runs", acting.start_run(site.project, pay="pay" in form))

    return await _done(request, act)


async def cancel(request: Request) -> Response:
    """End a run."""

    def act(site: Site, _: Mapping[str, str]) -> str:
        run = _run(site, request)
        acting.cancel_run(site.project, run)
        return address("runs", run)

    return await _done(request, act)


async def resume(request: Request) -> Response:
    """Continue a run, with ``retry`` with what did not succeed."""

    def act(site: Site, form: Mapping[str, str]) -> str:
        run = _run(site, request)
        acting.resume_run(site.project, run, retry="retry" in form)
        return address("runs", run)

    return await _done(request, act)


async def cancel_task(request: Request) -> Response:
    """End a task."""
    return await _task_done(request, acting.cancel_tasks)


async def retry_task(request: Request) -> Response:
    """Try a task again."""
    return await _task_done(request, acting.retry_tasks)


async def _task_done(request: Request, change: Callable[..., str]) -> Response:
    def act(site: Site, form: Mapping[str, str]) -> str:
        run, task = _run(site, request), form.get("id", "")
        if RunReader(site.project.run_folder(run)).task(task) is None:
            raise Missing(f"Run {run} has no task {task} to which anything has happened.")
        change(site.project.run_folder(run), [task])
        return address("runs", run, "task", id=task)

    return await _done(request, act)


async def _done(request: Request, act: Callable[[Site, Mapping[str, str]], str]) -> Response:
    """Do what a form of ours asks for, in a thread, and show what has become of it.

    Raises:
        LongshoreError: what is in its way.
    """
    site: Site = request.app.state.site
    form = await form_of(request)
    if not site.token.proves(form.get("proof", ""), "form"):
        raise UsageError("This form is not from a page of now; go back, load the page anew, and send it once more.")
    return RedirectResponse(await run_in_threadpool(act, site, form), status_code=303)


def _run(site: Site, request: Request) -> str:
    run: str = request.path_params["run"]
    site.run_folder(run)
    return run
