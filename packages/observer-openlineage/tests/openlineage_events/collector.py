"""Somebody who takes OpenLineage events by HTTP, and keeps them."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

__all__ = ["Collector", "collecting"]


@define
class Collector:
    """What was sent."""

    address: str
    events: list[dict[str, Any]] = field(factory=list)
    keys: set[str] = field(factory=set)

    def of(self, job: str, kind: str) -> dict[str, Any]:
        """Give the one event of a kind that a job has."""
        [found] = [each for each in self.events if each["job"]["name"] == job and each["eventType"] == kind]
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            collector.events.append(json.loads(body))
            collector.keys.add(self.headers.get("Authorization", ""))
            self.send_response(201 if self.path == "/api/v1/lineage" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the standard library
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
