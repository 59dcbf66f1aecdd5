"""Entering: the token becomes a cookie that no script can read and no other site can send."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from longshore_cli.report.html import element
from longshore_web.frame import framed
from longshore_web.guard import COOKIE
from longshore_web.html import void
from longshore_web.site import Site

__all__ = ["MOST_BYTES", "enter", "form_of"]

MOST_BYTES = 65_536
"""Of a form."""


async def enter(request: Request) -> Response:
    """Let in whoever has the token, by the printed address or by a form; ask others for it."""
    site: Site = request.app.state.site
    if request.method == "POST":
        token = (await form_of(request)).get("token", "")
    else:
        token = request.query_params.get("token", "")
    if not token:
        return _asked("", 200)
    if not site.token.opens(token.strip()):
        return _asked("This is not the token.", 403)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, site.token.derived("cookie"), httponly=True, samesite="strict", path="/")
    return answer


async def form_of(request: Request) -> dict[str, str]:
    """Read a form's fields; of a field that stands twice the last. What is too long or no form has none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return {}
    return {key: values[-1] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _asked(problem: str, code: int) -> Response:
    field = void("input", type="password", name="token", autocomplete="off", required=True)
    form = element(
        "form",
        element("p", element("label", "Token ", field)),
        element("button", "Enter"),
        method="post",
        action="/enter",
    )
    words = "`longshore web` prints an address with a token; open that address, or give the token here."
    main = [element("p", problem, role="alert", class_="failed")] if problem else []
    return HTMLResponse(framed("Enter", element("h1", "Longshore"), [*main, element("p", words), form]), code)
