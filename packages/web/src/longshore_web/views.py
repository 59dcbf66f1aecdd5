"""What each address shows: what was asked for is checked, read, and handed to its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from longshore.errors import LongshoreError
from longshore.runtime.history import TaskInfo
from longshore.runtime.logs import read_part
from longshore.runtime.output_rows import read_moves, read_outputs, read_refusals
from longshore.scheduler.state import TaskPhase
from longshore_cli.places import WORKFLOW_FILE
from longshore_cli.report.gantt import fitted, gantt_of
from longshore_cli.report.html import Html
from longshore_cli.report.record import read_record
from longshore_cli.scheduling.verbs import scheduled
from longshore_web.frame import View
from longshore_web.pages.artifacts import artifacts_page
from longshore_web.pages.forms import run_forms, start_form, task_forms
from longshore_web.pages.history import Line, history_page, schedules_page
from longshore_web.pages.log import Place, log_page
from longshore_web.pages.machines import machines_page
from longshore_web.pages.run import overview_page
from longshore_web.pages.task import Told, task_page
from longshore_web.pages.tasks import Wanted, tasks_page
from longshore_web.pages.timeline import drawn, timeline_page
from longshore_web.pages.workflow import workflow_page
from longshore_web.site import Missing, Site

__all__ = [
    "artifacts",
    "history",
    "log",
    "machines",
    "overview",
    "raw_log",
    "schedules",
    "task",
    "tasks",
    "timeline",
    "workflow",
]

_MOST = 100
"""Rows on a page."""
_MOST_FAILED = 10
_MOST_BARS = 3000
_MOST_LOG_BYTES = 128 << 10
_MOST_SOURCE_BYTES = 1 << 20
_LARGEST = 10**15


def history(request: Request) -> Response:
    """Show the runs of the project."""
    site, skip = _site(request), _number(request.query_params, "skip")
    runs = list(site.project.run_ids())
    lines = [_line(site, run) for run in islice(runs, skip, skip + _MOST)]
    folder = str(site.project.folder)
    page = history_page(
        folder,
        lines,
        datetime.now(UTC),
        skip=skip,
        most=_MOST,
        total=len(runs),
        actions=start_form(site.token.derived("form")),
    )
    return HTMLResponse(page)


def _line(site: Site, run: str) -> Line:
    try:
        return Line(run=run, info=site.info(run))
    except LongshoreError as error:
        # One record that cannot be read, such as another user's, must not hide the others.
        return Line(run=run, info=None, problem=str(error))


def schedules(_: Request) -> Response:
    """Show what is scheduled on this computer."""
    return HTMLResponse(schedules_page(scheduled()))


def overview(request: Request) -> Response:
    """Show a run at a glance."""
    view = _view(request)
    failed: list[TaskInfo] = []
    for phase in (TaskPhase.FAILED, TaskPhase.LOST):
        if view.overview.info.phases.get(phase) and len(failed) < _MOST_FAILED:
            failed += view.overview.tasks(phase=phase, most=_MOST_FAILED - len(failed)).tasks
    return HTMLResponse(overview_page(view, failed, run_forms(view)))


def tasks(request: Request) -> Response:
    """Show a page of tasks."""
    view, query = _view(request), request.query_params
    wanted = Wanted(
        phase=query.get("phase", ""),
        name=query.get("name", ""),
        machine=query.get("machine", ""),
        search=query.get("search", ""),
        skip=_number(query, "skip"),
    )
    found = view.overview.tasks(
        phase=wanted.phase or None,
        name=wanted.name or None,
        machine=wanted.machine or None,
        search=wanted.search or None,
        skip=wanted.skip,
        most=_MOST,
    )
    return HTMLResponse(tasks_page(view, wanted, found, _MOST))


def task(request: Request) -> Response:
    """Show one task."""
    view = _view(request)
    info = _task(view, request.query_params)
    reader = view.overview.reader
    written = info.id.partition("[")[0]
    failed = info.phase in {TaskPhase.FAILED, TaskPhase.LOST}
    told = Told(
        info=info,
        spec=next((spec for spec in view.overview.shape.workflow.tasks if spec.name == written), None),
        attempts=list(reader.attempts(info.id)) if info.attempts else [],
        outputs=read_outputs(reader, info.id),
        moves=read_moves(reader, info.id),
        refused=read_refusals(reader).get(info.id, "") if failed else "",
    )
    return HTMLResponse(task_page(view, told, task_forms(view, info)))


def _task(view: View, query: Mapping[str, str]) -> TaskInfo:
    """Find the task that is meant.

    Raises:
        Missing: when the run has none of exactly this id, so that no other name becomes a path.
    """
    task = query.get("id", "")
    info = view.overview.reader.task(task)
    if info is not None:
        return info
    # Nothing has happened to it yet, or there is none.
    if task.partition("[")[0] in view.overview.shape.sizes and task in view.overview.shape.ids:
        return TaskInfo(id=task, phase=TaskPhase.WAITING.value, attempts=0, machine="", failure="")
    raise Missing(f"Run {view.run} has no task {task}.")


def log(request: Request) -> Response:
    """Show a piece of what an attempt wrote."""
    view, query = _view(request), request.query_params
    place, path = _log(view, query)
    begin = _number(query, "begin") if "begin" in query else None
    return HTMLResponse(log_page(view, place, read_part(path, begin, most=_MOST_LOG_BYTES)))


def raw_log(request: Request) -> Response:
    """Give all that an attempt wrote to a stream, as a file to keep: no browser takes it for a page."""
    place, path = _log(_view(request), request.query_params)
    name = f"attempt-{place.attempt}.std{place.stream}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_pieces(path), media_type="application/octet-stream", headers=headers)


def _pieces(path: Path) -> Iterator[bytes]:
    offset = 0
    while data := read_part(path, offset, most=1 << 20).data:
        offset += len(data)
        yield data


def _log(view: View, query: Mapping[str, str]) -> tuple[Place, Path]:
    info = _task(view, query)
    attempt = _number(query, "attempt") or info.attempts
    stream = query.get("stream", "out")
    if not 0 < attempt <= info.attempts or stream not in {"out", "err"}:
        raise Missing(f"Task {info.id} has no such log.")
    place = Place(task=info.id, phase=info.phase, attempt=attempt, attempts=info.attempts, stream=stream)
    both = view.overview.reader.log_paths(info.id, attempt)
    return place, both[stream == "err"]


def timeline(request: Request) -> Response:
    """Show who did what when."""
    view = _view(request)
    return HTMLResponse(timeline_page(view, _site(request).picture(view.overview, view.at, lambda: _drawn(view))))


def _drawn(view: View) -> Html:
    whole = gantt_of(read_record(view.overview.reader))
    return drawn(whole, fitted(whole, _MOST_BARS), view.overview.at)


def machines(request: Request) -> Response:
    """Show the machines of a run."""
    view = _view(request)
    used = None if view.at else _site(request).notices.loads(view.overview.reader.folder)
    return HTMLResponse(machines_page(view, used, skip=_number(request.query_params, "skip"), most=_MOST))


def artifacts(request: Request) -> Response:
    """Show what tasks made and where it went."""
    view, query = _view(request), request.query_params
    skip, gone = _number(query, "skip"), _number(query, "gone")
    reader = view.overview.reader
    outputs = read_outputs(reader, skip=skip, most=_MOST + 1)
    moves = read_moves(reader, skip=gone, most=_MOST + 1)
    return HTMLResponse(artifacts_page(view, outputs, moves, skip=skip, gone=gone, most=_MOST))


def workflow(request: Request) -> Response:
    """Show what was written."""
    source = None
    path = _site(request).project.folder / WORKFLOW_FILE
    if path.is_file():
        with path.open("rb") as file:
            source = file.read(_MOST_SOURCE_BYTES).decode("utf-8", "replace")
    return HTMLResponse(workflow_page(_view(request), WORKFLOW_FILE, source))


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def _view(request: Request) -> View:
    site, at = _site(request), request.query_params.get("at", "").strip()
    found = site.overview(request.path_params["run"], at)
    until = found.reader.until or found.info.ended or datetime.now(UTC)
    return View(overview=found, at=at, proof=site.token.derived("form"), moment=until.timestamp())


def _number(query: Mapping[str, str], key: str) -> int:
    """Read a number that is not negative; what is none is zero."""
    text = query.get(key, "")
    return min(int(text), _LARGEST) if text.isascii() and text.isdigit() and len(text) < 20 else 0
