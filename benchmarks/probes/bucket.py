"""Ask a stand-in for S3 what a bucket has, or how its files begin, and print the seconds that this took.

Usage: bucket.py list|pages|headers COUNT PYTHON

`list` is what Longshore does for a glob, and `pages` what botocore's own paginator (boto3's) does; both ask moto, in a
process of its own by the PYTHON that has it, which is filled beforehand. The processor time that this takes moto is
printed, too. `headers` reads the first lines of COUNT files for `columns_of`, where each answer is 20 ms late.
"""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

SERVER = """
import sys, time
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
s3 = s3_backends["123456789012"]["aws"]
s3.create_bucket("bucket", "us-east-1")
for number in range(int(sys.argv[1])):
    s3.put_object("bucket", f"data/{number:06}.csv", b"time,Power\\n1,2\\n")
print("http://%s:%d" % server.get_host_and_port(), flush=True)
filled = time.process_time()
sys.stdin.read()
print(time.process_time() - filled, flush=True)
"""
LATE_SECONDS = 0.02


class Late(http.server.BaseHTTPRequestHandler):
    """Gives a line of names, and takes its time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer; to HEAD with less."""
        time.sleep(LATE_SECONDS)
        content = b"time,Power.1,Power.2\n"
        self.send_response(206)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", '"one"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815  as the base class calls it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def listed() -> int:
    """List as a for_each does."""
    from longshore.runtime.objects import Stores

    return len(Stores().list("s3://bucket/data/*.csv"))


def paged() -> int:
    """List as boto3 does."""
    from botocore.session import get_session

    pages = get_session().create_client("s3").get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="data/")
    return sum(len(page["Contents"]) for page in pages)


def headers(count: int) -> int:
    """Read the first line of files as for_each does."""
    from longshore.config.columns import find_columns
    from longshore.model.task import ColumnsOf
    from longshore.runtime.objects import Stores

    files = [f"s3://bucket/data/{number:06}.csv" for number in range(count)]
    found = find_columns(ColumnsOf(parameter="file", matching="Power.*"), files, Stores().peek)
    return sum(len(columns) == 2 for columns in found.values())


def timed(url: str, ask: Callable[[], int], wanted: int) -> float:
    """Give the seconds that it takes to be told all."""
    names = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(names, AWS_ENDPOINT_URL=url)
    began = time.perf_counter()
    found = ask()
    seconds = time.perf_counter() - began
    if found != wanted:
        sys.exit(f"{found} were found, and {wanted} are there")
    return seconds


def main(what: str, count: int, python: str) -> None:
    """Serve, ask, and say how long it took."""
    if what == "headers":
        late = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late)
        threading.Thread(target=late.serve_forever, daemon=True).start()
        seconds = timed(f"http://127.0.0.1:{late.server_address[1]}", lambda: headers(count), count)
        sys.stdout.write(f"{seconds}\n")
        return
    command = [python, "-c", SERVER, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        seconds = timed(server.stdout.readline().decode().strip(), listed if what == "list" else paged, count)
        theirs, _ = server.communicate()
        sys.stdout.write(f"{seconds} {theirs.decode().strip()}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
