"""Server-sent events: that something has changed, and nothing more; the page then asks for itself anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from longshore.runtime.lock import is_held
from longshore_web.site import Site

__all__ = ["history_changes", "run_changes"]

_MOST_RUNS = 20
"""So many of the newest runs are watched for the history."""


async def history_changes(request: Request) -> Response:
    """Tell of new runs, and of what happens in those that go on."""
    site: Site = request.app.state.site
    return _stream(site.notices.changes(await run_in_threadpool(_folders, site), run=None, loads=False))


def _folders(site: Site) -> tuple[Path, ...]:
    project = site.project
    project.runs.mkdir(parents=True, exist_ok=True)
    found = [project.runs]
    for run, _ in zip(project.run_ids(), range(_MOST_RUNS), strict=False):
        if is_held(project.run_folder(run)):
            found.append(project.run_folder(run))
    return tuple(found)


async def run_changes(request: Request) -> Response:
    """Tell of what happens in a run.

    With ``told=logs`` of what its tasks write, with ``told=loads`` of what its machines use, too.
    """
    site: Site = request.app.state.site
    folder = await run_in_threadpool(site.run_folder, request.path_params["run"])
    told = request.query_params.get("told")
    logs = folder / "logs"
    folders = (folder, logs) if told == "logs" and logs.is_dir() else (folder,)
    return _stream(site.notices.changes(folders, run=folder, loads=told == "loads"))


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream")
