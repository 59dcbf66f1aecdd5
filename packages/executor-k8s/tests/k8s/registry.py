"""A registry of images on this computer, and a store of their own for the programs that build them."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import frozen

from longshore_k8s.registries import Repository

__all__ = ["Registry", "context", "serving", "tokens"]

_SETTINGS = """
version: 0.1
log: {{ level: info }}
storage:
  filesystem: {{ rootdirectory: {folder}/images }}
  delete: {{ enabled: {delete} }}
http: {{ addr: "127.0.0.1:0" }}
{auth}
"""
_STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
_LISTENING = re.compile(rb"listening on (127\.0\.0\.1:\d+)")
DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY tool /tool
RUN ["/bin/busybox", "sh", "/tool"]
"""


@frozen(kw_only=True)
class Registry:
    """One that runs."""

    host: str

    def repository(self, name: str = "team/tool") -> Repository:
        """Give one of its repositories."""
        return Repository(f"{self.host}/{name}", lambda: None)


@contextmanager
def serving(folder: Path, *, delete: bool = True, auth: str = "") -> Iterator[Registry]:
    """Start one, without anything in it; it ends with the block."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("there is no docker-registry here; it is a package of Debian")
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "registry.yml"
    settings.write_text(_SETTINGS.format(folder=folder, delete=str(delete).lower(), auth=auth))
    with subprocess.Popen(
        [program, "serve", str(settings)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            said = b""
            for line in process.stdout:
                said += line
                found = _LISTENING.search(line)
                if found:
                    break
            else:
                raise AssertionError(said.decode())
            with (folder / "log").open("wb") as log:
                # Somebody has to read what it says, or it waits for that.
                reader = subprocess.Popen(["cat"], stdin=process.stdout, stdout=log)
                yield Registry(host=found[1].decode())
        finally:
            process.kill()
    reader.wait()


def context(folder: Path, monkeypatch: pytest.MonkeyPatch, tool: str = "echo made > /made\n") -> Path:
    """Make a context in a project, and give builders a store of their own."""
    busybox = shutil.which("busybox")
    if shutil.which("buildah") is None or busybox is None:
        pytest.skip("there is no buildah, or no busybox, here; they are packages of Debian")
    store = folder / "storage.conf"
    store.write_text(_STORAGE.format(folder=folder / "store"))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(store))
    place = folder / "project"
    place.mkdir(exist_ok=True)
    (place / ".longshore").mkdir(exist_ok=True)
    shutil.copy(busybox, place / "busybox")
    (place / "tool").write_text(tool)
    (place / "Dockerfile").write_text(DOCKERFILE)
    return place


@contextmanager
def tokens() -> Iterator[tuple[str, list[str]]]:
    """Serve tokens; give the settings of a registry that wants them, and the logins that were shown."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Give a token."""
            auth = self.headers.get("Authorization", "")
            shown.append(base64.b64decode(auth.removeprefix("Basic ")).decode())
            content = json.dumps({"token": "worth-something", "expires_in": 300}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f'auth: {{ silly: {{ realm: "http://127.0.0.1:{server.server_port}/token", service: tests }} }}', shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
