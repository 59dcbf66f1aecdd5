"""The rack's service as tests have it: the same HTTP, in front of the kit's fake cloud. Not imported otherwise."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from longshore.plugin import Provider, Terms
from longshore.testing import FakeCloud, FakeRig
from longshore.testing.fake_cloud_parts import CloudFault, CloudTimeout
from longshore.testing.faults import Time
from longshore_rack.api import RackApi
from longshore_rack.provider import Rack

__all__ = ["LOGIN", "serving"]

LOGIN = "t0p-s3cret-login"
_STATUS = {
    "ExpiredToken": 401,
    "InsufficientCapacity": 409,
    "KeyMismatch": 400,
    "LimitExceeded": 402,
    "MalformedParameter": 400,
    "NotAuthorized": 403,
    "NotFound": 404,
    "RequestLimitExceeded": 429,
}


class Service(ThreadingHTTPServer):
    """The service, and the cloud behind it."""

    daemon_threads = True
    cloud: FakeCloud


class Handler(BaseHTTPRequestHandler):
    """Turns HTTP into what the fake cloud understands."""

    server: Service

    def handle_one_request(self) -> None:
        """Answer one request."""
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        try:
            if self.headers["Authorization"] != f"Bearer {LOGIN}":
                raise CloudFault("ExpiredToken")
            self._answer(200, json.dumps(self._do(urllib.parse.urlsplit(self.path), body)))
        except CloudFault as fault:
            self._answer(_STATUS.get(fault.code, 500), str(fault))
        except CloudTimeout:
            self._answer(504, "")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def _answer(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _do(self, url: urllib.parse.SplitResult, body: dict[str, Any]) -> Any:
        parts = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        match (self.command, *parts):
            case ("GET", "login"):
                return self._call("whoami", {})
            case ("GET", "types"):
                return [{**row, "name": row["type"]} for row in self._call("offers", {})["offers"]]
            case ("POST", "machines"):
                kind = body.pop("type")
                flat = {"type": kind.pop("name"), **kind}
                return self._call("create", {**body, **flat})["machines"]
            case ("GET", "machines"):
                query = urllib.parse.parse_qs(url.query)
                tags = dict(tag.split("=", 1) for tag in query.get("tag", ()))
                found = self._call("list", {"tags": tags, "page": int(query["page"][0])})
                return {"machines": found["rows"], "next": "" if found["next"] is None else str(found["next"])}
            case ("DELETE", "machines", name):
                return self._call("end", {"id": name})
            case ("POST", "machines", name, "power"):
                return self._call("stop" if body["power"] == "off" else "start", {"id": name})
            case _:
                raise CloudFault("NotFound", url.path)

    def _call(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        left = float(self.headers["Prefer"].partition("wait=")[2])
        return self.server.cloud.call("account-1", action, body, timedelta(seconds=left))


@contextmanager
def serving() -> Iterator[Callable[[], FakeRig]]:
    """Serve on a free port of this computer; give a maker of rigs, each with a cloud of its own."""
    service = Service(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def make(_port: object, time: Time, terms: Terms) -> Provider:
        return Rack(RackApi(f"http://127.0.0.1:{service.server_port}", {"RACK": LOGIN}, "RACK"), time.now, terms)

    def rig() -> FakeRig:
        made = FakeRig(make)
        made.secrets = (*made.secrets, LOGIN)
        service.cloud = made.cloud
        return made

    try:
        yield rig
    finally:
        service.shutdown()
        service.server_close()
        thread.join()
