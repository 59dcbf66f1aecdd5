"""Who may ask, and what an answer may do in a browser.

A page of another site can make a browser send requests here; a name of another site can be made to mean this computer
(DNS rebinding); other users of this computer can connect. So each request must name this computer as its host, prove
the token by a cookie that no other site can send and no script can read, and what changes something must come from a
form of ours.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longshore_web.token import Token

__all__ = ["COOKIE", "HEADERS", "Guard", "is_ours"]

COOKIE = "longshore"
_OPEN = ("/enter", "/static/")
"""What is shown to everybody: how to enter, and how it looks."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": then a browser does not say where a form comes from, either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Stands before the pages."""

    def __init__(self, app: ASGIApp, token: Token, hosts: Collection[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if _name_of(headers.get("host", "")) not in self._hosts:
            return _plain(421, "This is not the host that was asked for.")
        if scope["method"] not in {"GET", "HEAD"} and not is_ours(headers):
            return _plain(403, "This request does not come from a page of ours.")
        if scope["path"].startswith(_OPEN):
            return None
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if self._token.proves(cookie, "cookie"):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/enter", status_code=303)
        return _plain(401, "Enter by the address that `longshore web` has printed.")


def is_ours(headers: Headers) -> bool:
    """Say whether a request was made by a page of this very host, as the browser tells it."""
    origin = headers.get("origin")
    if origin is not None:
        return origin != "null" and urlsplit(origin).netloc == headers.get("host")
    return headers.get("sec-fetch-site") == "same-origin"


def _name_of(host: str) -> str:
    """Give the name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _plain(code: int, words: str) -> Response:
    return Response(f"{words}\n", code, media_type="text/plain")
