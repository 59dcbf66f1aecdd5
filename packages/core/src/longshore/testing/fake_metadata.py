"""A cloud's metadata service at its address, and a program of a machine that asks it, in a network of their own.

``python -m longshore.testing.fake_metadata ANSWERS PROGRAM...`` is what `ask` starts there. This needs user namespaces
and iproute2; `missing` says what is not there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from attrs import asdict, field, frozen

__all__ = ["Said", "ask", "missing", "path_with", "serve"]

_ENTER = ("unshare", "--net", "--map-root-user")
_ADDRESS = "169.254.169.254"
_SECONDS = 120.0


@frozen(kw_only=True)
class Said:
    """What the service says to one question."""

    path: str
    text: str
    method: str = "GET"
    headers: Mapping[str, str] = field(factory=dict[str, str])
    """What a question must have, or it is refused; the value ``*`` is any."""


def missing() -> str:
    """Say why there can be no such network here; empty when there can be."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "needs `unshare` and `ip`"
    done = subprocess.run([*_ENTER, "true"], check=False, capture_output=True)
    return "needs user namespaces" if done.returncode else ""


def path_with(folder: Path, *programs: str) -> str:
    """Make a folder that has these programs and no others, for a ``PATH``.

    Raises:
        FileNotFoundError: when this computer lacks one.
    """
    folder.mkdir()
    for name in programs:
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(name)
        (folder / name).symlink_to(found)
    return str(folder)


def ask(program: str, said: Sequence[Said], *, folder: Path, path: str) -> tuple[int, str]:
    """Execute a program of ``sh``, with a ``PATH``, where the service says this; give its exit code and its words."""
    place = folder / "program"
    place.write_text(program)
    answers = json.dumps([asdict(each) for each in said])
    argv = [
        *_ENTER,
        sys.executable,
        "-m",
        __name__,
        answers,
        "/usr/bin/env",
        "-i",
        f"PATH={path}",
        "/bin/sh",
        str(place),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    return done.returncode, done.stdout


def serve(said: Sequence[Said]) -> None:
    """Switch on the network that this process is in, and answer in it as long as it lives; ``said`` may grow."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = next((each for each in said if (each.method, each.path) == (self.command, self.path)), None)
            status = 404 if found is None else 200
            if found is not None and not all(self._has(name, value) for name, value in found.headers.items()):
                status = 403
            self.send_response(status)
            self.end_headers()
            if found is not None and status == 200:
                self.wfile.write(found.text.encode())

        do_PUT = do_GET  # noqa: N815  a name of the standard library

        def _has(self, name: str, value: str) -> bool:
            shown = self.headers.get(name)
            return shown is not None and value in {"*", shown}

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for command in ("ip link set lo up", f"ip address add {_ADDRESS}/32 dev lo"):
        subprocess.run(command.split(), check=True)
    server = HTTPServer((_ADDRESS, 80), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    serve([Said(**each) for each in json.loads(sys.argv[1])])
    sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
