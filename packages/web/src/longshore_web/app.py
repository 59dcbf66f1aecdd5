"""The pages and their addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from importlib.resources import files

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from longshore.errors import ConfigError, JournalError, LongshoreError, RunError, UsageError
from longshore_cli.report.html import element
from longshore_web import actions, entering, streams, views
from longshore_web.frame import framed
from longshore_web.guard import Guard
from longshore_web.site import Missing, Site

__all__ = ["LOCAL_HOSTS", "make_app"]

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")

_STATIC = {
    "report.css": ("longshore_cli.report", "page.css", "text/css"),
    "page.css": ("longshore_web.static", "page.css", "text/css"),
    "page.js": ("longshore_web.static", "page.js", "text/javascript"),
    "icon.svg": ("longshore_web.static", "icon.svg", "image/svg+xml"),
}


def make_app(site: Site, hosts: Collection[str] = LOCAL_HOSTS) -> Starlette:
    """Make the application that serves a project to whoever has its token."""
    run = "/runs/{run}"
    routes = [
        _page("/", views.history),
        _page("/schedules", views.schedules),
        _page(run, views.overview),
        _page(f"{run}/tasks", views.tasks),
        _page(f"{run}/task", views.task),
        _page(f"{run}/log", views.log),
        _page(f"{run}/raw", views.raw_log),
        _page(f"{run}/timeline", views.timeline),
        _page(f"{run}/machines", views.machines),
        _page(f"{run}/artifacts", views.artifacts),
        _page(f"{run}/workflow", views.workflow),
        _form("/runs", actions.start),
        _form(f"{run}/cancel", actions.cancel),
        _form(f"{run}/resume", actions.resume),
        _form(f"{run}/task/cancel", actions.cancel_task),
        _form(f"{run}/task/retry", actions.retry_task),
        Route("/changes", streams.history_changes),
        Route(f"{run}/changes", streams.run_changes),
        Route("/enter", entering.enter, methods=["GET", "POST"]),
        Route("/static/{name}", _static),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=site.token, hosts=hosts)],
        exception_handlers={LongshoreError: _told, 404: _unknown},
    )
    app.state.site = site
    return app


def _page(path: str, view: Callable[[Request], Response]) -> Route:
    # Plain functions are called in threads, since they read files.
    return Route(path, view)


def _form(path: str, action: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, action, methods=["POST"])


def _static(request: Request) -> Response:
    known = _STATIC.get(request.path_params["name"])
    if known is None:
        return _unknown(request)
    package, name, kind = known
    return Response(files(package).joinpath(name).read_bytes(), media_type=kind)


def _told(_: Request, error: Exception) -> Response:
    codes = ((Missing, 404), (UsageError, 400), (ConfigError, 400), (JournalError, 500), (RunError, 409))
    code = next((code for kind, code in codes if isinstance(error, kind)), 500)
    return _problem(str(error), code)


def _unknown(_request: Request, _error: Exception | None = None) -> Response:
    return _problem("There is no such page.", 404)


def _problem(words: str, code: int) -> Response:
    return HTMLResponse(
        framed("Not shown", element("h1", "Not shown"), [element("pre", words, class_="problem")]), code
    )
