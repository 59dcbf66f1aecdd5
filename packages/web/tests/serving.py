"""The real server, in a process of its own, as its users start it."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from longshore_cli.testing.harness import COMMAND, SECONDS, Project

__all__ = ["Reply", "Served", "serving"]


@frozen
class Reply:
    """An answer of the server."""

    code: int
    headers: Mapping[str, str]
    text: str


@frozen
class Served:
    """A project whose pages are served."""

    project: Project
    address: str
    """With the token, as it is printed."""
    pid: int

    @property
    def home(self) -> str:
        """Where the pages are, without a slash at the end."""
        where = urlsplit(self.address)
        return f"{where.scheme}://{where.netloc}"

    @property
    def token(self) -> str:
        return self.address.partition("=")[2]

    def ask(self, path: str, *, method: str = "GET", form: Mapping[str, str] | None = None, **headers: str) -> Reply:
        """Ask as a browser would that has no cookie; underscores in headers are hyphens."""
        where = urlsplit(self.home)
        assert where.hostname is not None
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=SECONDS)
        words = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if form is None else urlencode(form)
        connection.request(method, path, body, words)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def cookie(self) -> str:
        """Enter, and give the cookie."""
        return self.ask(f"/enter?token={self.token}").headers["set-cookie"].partition(";")[0]

    def see(self, path: str, *, code: int = 200) -> str:
        """Give a page as somebody sees it who has entered."""
        reply = self.ask(path, cookie=self.cookie())
        assert reply.code == code, f"{path}: {reply.code}\n{reply.text}"
        return reply.text


@contextmanager
def serving(project: Project, *words: str) -> Iterator[Served]:
    """Serve a project's pages."""
    server = subprocess.Popen(
        [*COMMAND, "web", *words],
        cwd=project.folder,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address, server.communicate(timeout=SECONDS)
        yield Served(project, address, server.pid)
    finally:
        server.terminate()
        _, errors = server.communicate(timeout=SECONDS)
        assert "Traceback" not in errors, errors
        assert server.returncode == 0, errors
