"""AWS for tests: moto, in a process of its own, behind a layer that adds what moto lacks and goes wrong when told to.

``python -m aws.cloud.server [FOLDER]`` serves two ports, and prints them as a line of JSON: ``aws`` is what a provider
meets, ``books`` is moto itself and the layer's control (``POST /-/NAME``). With a folder each instance is a real host,
and lists are up to date.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("MOTO_ENABLE_AMI_VALIDATION", "true")
os.environ.setdefault("MOTO_ENABLE_KEYPAIR_VALIDATION", "true")
os.environ.setdefault("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "1")

from aws.cloud.hosted import Hosted
from aws.cloud.layer import Layer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Start = Callable[..., Any]


def serve() -> None:
    """Serve until killed, or until the standard input ends: whoever started it has gone."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = DomainDispatcherApplication(create_backend_app)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    layer = Layer(moto) if folder is None else Layer(moto, lag=timedelta(0))
    front: Any = layer

    def books(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/-/"):
            return list(moto(environ, start))
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = front.control(path.removeprefix("/-/"), json.loads(body or b"{}"))
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    servers = {"books": make_server("127.0.0.1", 0, books, threaded=True)}
    if folder is not None:
        front = Hosted(layer, folder, f"http://127.0.0.1:{servers['books'].server_port}", "eu-west-1")
    servers["aws"] = make_server("127.0.0.1", 0, front, threaded=True)
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({name: server.server_port for name, server in servers.items()}), flush=True)
    try:
        sys.stdin.read()
    finally:
        if isinstance(front, Hosted):
            front.close()


if __name__ == "__main__":
    serve()
