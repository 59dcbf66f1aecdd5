"""A store that is a folder, as a distribution of its own: what it has outlives every host of the tests.

Hosts that see nothing of this computer's disks ask `serve_shelf`, which stands in their network.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["install_shelf", "serve_shelf"]

_MODULE = """
import shutil
import sys
from glob import glob
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

from attrs import frozen
from longshore.errors import InputMissing, StagingError
from longshore.plugin import StoreRecord, hookimpl


@frozen(kw_only=True)
class Config:
    pass


def path_of(url):
    return Path("SHELF", url.removeprefix("shelf://"))


class Shelf:
    def fetch(self, url, into):
        try:
            shutil.copyfile(path_of(url), into)
        except FileNotFoundError as error:
            raise InputMissing(f"{url} does not exist") from error

    def put(self, path, url):
        place = path_of(url)
        for folder in reversed(place.parents):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(0o777)
        beside = place.with_name(f".{place.name}")
        shutil.copyfile(path, beside)
        beside.chmod(0o666)
        beside.rename(place)

    def list(self, pattern):
        found = glob(str(path_of(pattern)), recursive=True)
        return sorted("shelf://" + each.removeprefix("SHELF/") for each in found)

    def empty(self, url):
        shutil.rmtree(path_of(url), ignore_errors=True)

    def abandon(self, url, begun_before):
        pass


class Far:
    def ask(self, verb, url, body=b""):
        connection = HTTPConnection("ADDRESS", timeout=300)
        connection.request(verb, "/" + quote(url, safe=""), body)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise (InputMissing if answer.status == 404 else StagingError)(f"{url}: {content.decode()}")
        return content

    def fetch(self, url, into):
        Path(into).write_bytes(self.ask("GET", url))

    def put(self, path, url):
        self.ask("PUT", url, Path(path).read_bytes())

    def list(self, pattern):
        return self.ask("OPTIONS", pattern).decode().splitlines()

    def empty(self, url):
        self.ask("DELETE", url)

    def abandon(self, url, begun_before):
        pass


class Door(BaseHTTPRequestHandler):
    def answer(self):
        url, near, beside = unquote(self.path[1:]), Shelf(), Path(f"SHELF/.{self.client_address[1]}")
        status, content = 200, b""
        try:
            if self.command == "GET":
                near.fetch(url, beside)
                content = beside.read_bytes()
            elif self.command == "PUT":
                beside.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                near.put(beside, url)
            elif self.command == "OPTIONS":
                content = "\\n".join(near.list(url)).encode()
            else:
                near.empty(url)
        except (InputMissing, OSError) as error:
            status, content = 404 if isinstance(error, InputMissing) else 500, str(error).encode()
        beside.unlink(missing_ok=True)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_OPTIONS = do_DELETE = answer

    def log_message(self, *_):
        pass


@hookimpl
def longshore_stores():
    kind = Shelf if Path("SHELF").is_dir() else Far
    return [StoreRecord(name="shelf", config=Config, schemes=("shelf",), factory=lambda _: kind(), api=(0, 1))]


if __name__ == "__main__":
    host, port = "ADDRESS".split(":")
    server = ThreadingHTTPServer((host, int(port)), Door)
    print("open", flush=True)
    server.serve_forever()
"""
_ADDRESS = "198.18.0.1:7357"
"""In a network of `longshore.testing.fake_hosts`; each has one of its own."""


def install_shelf(folder: Path, shelf: Path) -> None:
    """Lay the distribution into a folder, for PYTHONPATH; what is stored lies in ``shelf``, which anybody may write."""
    shelf.mkdir()
    shelf.chmod(0o777)
    info = folder / "longshore_shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "longshore_shelf.py").write_text(_MODULE.replace("SHELF", str(shelf)).replace("ADDRESS", _ADDRESS))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: longshore-shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[longshore]\nstore.shelf = longshore_shelf\n")
    names = ["longshore_shelf.py", *(f"{info.name}/{name}" for name in ("METADATA", "entry_points.txt", "RECORD"))]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))


@contextmanager
def serve_shelf(folder: Path, network: str) -> Iterator[None]:
    """Let hosts ask for what `install_shelf` has laid into a folder; ``network`` is the file of their namespace."""
    words = ["nsenter", f"--net={network}", sys.executable, str(folder / "longshore_shelf.py")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            yield
        finally:
            process.kill()
