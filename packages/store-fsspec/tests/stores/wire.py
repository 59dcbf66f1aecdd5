"""A server that speaks S3, and what is said to it: all requests are noted, and may be held up or cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

__all__ = ["Asked", "Wire", "begun", "signed"]

Asked = tuple[str, str, Mapping[str, str]]
"""Method, path and query of a request."""


def signed(asked: Asked) -> bool:
    """Say whether a request comes from somebody who has a signature and no rights else."""
    return "X-Amz-Signature" in asked[2]


def begun(cloud: Any, bucket: str) -> list[str]:
    """List the objects of which parts are there."""
    return [each["Key"] for each in cloud.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        return


class Wire:
    """moto's server, with an ear on the line."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self.asked: list[Asked] = []
        self.before: Callable[[Asked], None] = lambda _asked: None
        """Called before a request is served; what it raises cuts the line."""
        self.after: Callable[[Asked], None] = lambda _asked: None
        """Called when it is served, and not answered yet."""
        self.refuse = b""
        """Answered to everything, with the status 403, when it is not empty."""
        self.grants = True
        """Whether those are served who have no rights but a signature in the URL."""
        self._server = ThreadedWSGIServer("127.0.0.1", 0, self._serve, handler=_Quiet)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"], query)
        self.asked.append(asked)
        self.before(asked)
        if self.refuse or (signed(asked) and not self.grants):
            start("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(self.refuse)))])
            return [] if asked[0] == "HEAD" else [self.refuse]
        answer: Iterable[bytes] = self._app(environ, start)
        self.after(asked)
        return answer

    def parts(self) -> list[int]:
        """List the parts that were sent, in their order."""
        puts = [query for method, _, query in self.asked if method == "PUT"]
        return sorted(int(query["partNumber"]) for query in puts if "uploadId" in query)

    def actions(self) -> set[str]:
        """List the rights that AWS would have wanted for all that was asked."""
        return {_action(method, path, query) for method, path, query in self.asked}

    def quiet(self) -> None:
        """Forget what was asked, and what was to happen then."""
        self.asked.clear()
        self.before = self.after = lambda _asked: None
        self.refuse = b""
        self.grants = True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _action(method: str, path: str, query: Mapping[str, str]) -> str:
    key = path.strip("/").partition("/")[2]
    match method:
        case "GET" if "uploadId" in query:
            return "s3:ListMultipartUploadParts"
        case "GET" if "uploads" in query:
            return "s3:ListBucketMultipartUploads"
        case "GET" | "HEAD":
            return "s3:GetObject" if key else "s3:ListBucket"
        case "DELETE" if "uploadId" in query:
            return "s3:AbortMultipartUpload"
        case "DELETE":
            return "s3:DeleteObject"
        case "POST" if "delete" in query:
            return "s3:DeleteObject"
        case "PUT" | "POST" if key:
            return "s3:PutObject"
        case _:
            return f"{method} {path}"
