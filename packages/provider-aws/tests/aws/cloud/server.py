"""AWS for tests: moto, in a process of its own, behind a layer that adds what moto lacks and goes wrong when told to.

``python -m aws.cloud.server [FOLDER]`` serves two ports, and prints them as a line of JSON: ``aws`` is what a provider
meets, ``books`` is moto itself and the layer's control (``POST /-/NAME``). With a folder each instance is a real host,
reached by the command ``proxy``, and lists are up to date.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("MOTO_ENABLE_AMI_VALIDATION", "true")
os.environ.setdefault("MOTO_ENABLE_KEYPAIR_VALIDATION", "true")
os.environ.setdefault("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "1")

import boto3
from aws.cloud.hosted import Hosted
from aws.cloud.layer import Layer
from aws.cloud.network import open_network
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Start = Callable[..., Any]

_REGION = "eu-west-1"
_READING_SECONDS = 600
"""Moto reads for long at the first question, on a busy computer for minutes."""


def serve() -> None:
    """Serve until the standard input ends: whoever started it has gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # its machines end with it
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
        front = Hosted(layer, folder, f"http://127.0.0.1:{servers['books'].server_port}", _REGION)
    servers["aws"] = make_server("127.0.0.1", 0, front, threaded=True)
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    _prepare(*(f"http://127.0.0.1:{servers[name].server_port}" for name in ("aws", "books")))
    told: dict[str, Any] = {name: server.server_port for name, server in servers.items()}
    if isinstance(front, Hosted):
        told["proxy"] = front.control("proxy", {})
    print(json.dumps(told), flush=True)
    try:
        sys.stdin.read()
    finally:
        if isinstance(front, Hosted):
            front.close()


def _prepare(aws: str, books: str) -> None:
    """Make what is always there, and ask for what moto reads at the first question, longer than anybody would wait."""

    def client(service: str, url: str) -> Any:
        return boto3.client(
            service,
            region_name=_REGION,
            endpoint_url=url,
            aws_access_key_id="admin",
            aws_secret_access_key="admin",
            config=Config(read_timeout=_READING_SECONDS, retries={"total_max_attempts": 1}),
        )

    client("ec2", books).describe_images(ImageIds=["ami-03cf127a"])
    client("sts", books).get_caller_identity()
    open_network(client("ec2", books))
    rented = client("ec2", aws)
    rented.describe_instance_types()
    rented.describe_instance_type_offerings(LocationType="availability-zone")
    rented.describe_spot_price_history()


if __name__ == "__main__":
    serve()
