"""A small server with Google's JSON interface to objects, as far as it is used here."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from typing import Any

__all__ = ["GoogleStorage"]

_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)")
_LIST = re.compile(r"/storage/v1/b/([^/]+)/o")
_UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")
_BUCKET = re.compile(r"/storage/v1/b/([^/]+)")
_PAGE = 3


class GoogleStorage:
    """Buckets, and objects with generations."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, tuple[int, bytes]]] = {}
        self._generation = 0
        self._sessions: dict[str, tuple[str, str, bytearray]] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.serve(self)

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  as the base class calls them

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        asked = {name.title(): value for name, value in handler.headers.items()}
        status, body, headers = self._answer(handler.command, parts.path, query, content, asked)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _answer(
        self, method: str, path: str, query: dict[str, str], content: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        if path == "/batch/storage/v1":
            return self._batch(content, headers)
        if found := _UPLOAD.fullmatch(path):
            return self._upload(method, found[1], query, content, headers)
        if found := _OBJECT.fullmatch(path):
            return self._object(method, found[1], urllib.parse.unquote(found[2]), query, headers)
        if found := _LIST.fullmatch(path):
            return self._list(found[1], query)
        if found := _BUCKET.fullmatch(path):
            return _json({"name": found[1]}) if found[1] in self.buckets else _refused(404, "bucket does not exist")
        return _refused(400, f"nobody knows {method} {path}")

    def _list(self, bucket: str, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        if bucket not in self.buckets:
            return _refused(404, "The specified bucket does not exist.")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names = sorted(name for name in self.buckets[bucket] if name.startswith(prefix))
        rests = {name: name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "") for name in names}
        folders = sorted({f"{prefix}{first}{delimiter}" for first, cut, _ in rests.values() if cut})
        names = [name for name in names if not rests[name][1]]
        start = int(query.get("pageToken", "0"))
        page = names[start : start + _PAGE]
        more = {"nextPageToken": str(start + _PAGE)} if start + _PAGE < len(names) else {}
        about = {"kind": "storage#objects", "prefixes": folders}
        return _json({**about, "items": [self._about(bucket, name) for name in page], **more})

    def _object(
        self, method: str, bucket: str, name: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        if name not in self.buckets.get(bucket, {}):
            return _refused(404, f"No such object: {bucket}/{name}")
        if method == "DELETE":
            del self.buckets[bucket][name]
            return 204, b"", {}
        if query.get("alt") != "media":
            return _json(self._about(bucket, name))
        content = self.buckets[bucket][name][1]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("Range", ""))
        if wanted is None:
            return 200, content, {}
        if int(wanted[1]) >= len(content):
            return _refused(416, "the range is not there")
        return 206, content[int(wanted[1]) : int(wanted[2] or len(content)) + 1], {}

    def _upload(
        self, method: str, bucket: str, query: dict[str, str], content: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        if bucket not in self.buckets:
            return _refused(404, "The specified bucket does not exist.")
        if query.get("uploadType") == "multipart":
            boundary = b"--" + re.findall(r"boundary=['\"]?([^'\";]+)", headers["Content-Type"])[0].encode()
            about, body = (each.split(b"\n\n", 1)[1] for each in content.split(boundary)[1:3])
            return self._keep(bucket, json.loads(about)["name"], body.removesuffix(b"\n"))
        if "upload_id" not in query:
            token = str(len(self._sessions))
            self._sessions[token] = (bucket, json.loads(content)["name"], bytearray())
            return (
                200,
                b"",
                {"Location": f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={token}"},
            )
        _, name, came = self._sessions[query["upload_id"]]
        came += content
        if headers["Content-Range"].endswith("/*"):
            return 308, b"", {"Range": f"bytes=0-{len(came) - 1}"}
        return self._keep(bucket, name, bytes(came))

    def _keep(self, bucket: str, name: str, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        self._generation += 1
        self.buckets[bucket][name] = (self._generation, content)
        return _json(self._about(bucket, name))

    def _batch(self, content: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        boundary = re.findall(r"boundary=['\"]?([^'\";]+)", headers["Content-Type"])[0]
        answers = []
        for line in re.findall(r"DELETE (\S+)", content.decode()):
            path = urllib.parse.urlsplit(line).path
            status, _, _ = self._answer("DELETE", path, {}, b"", {})
            answers.append(f"--{boundary}\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} x\r\n\r\n\r\n")
        body = "".join([*answers, f"--{boundary}--"]).encode()
        return 200, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"}

    def _about(self, bucket: str, name: str) -> dict[str, Any]:
        generation, content = self.buckets[bucket][name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(content)),
            "generation": str(generation),
            "etag": hashlib.sha256(f"{generation}".encode()).hexdigest()[:12],
            "updated": "2026-01-01T00:00:00.000Z",
            "timeCreated": "2026-01-01T00:00:00.000Z",
        }


def _json(body: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(body).encode(), {"Content-Type": "application/json"}


def _refused(status: int, message: str) -> tuple[int, bytes, dict[str, str]]:
    content = json.dumps({"error": {"code": status, "message": message}}).encode()
    return status, content, {"Content-Type": "application/json"}
