"""What a spot machine asks of its metadata service, asked of one that answers as AWS documents it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from longshore_aws.notice import NOTICE

_ENTER = ["unshare", "--net", "--map-root-user"]
"""A network of its own, where the service's address can be ours."""
_WORLD = """\
import subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Service(BaseHTTPRequestHandler):
    def do_PUT(self):
        assert self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200, b"t0ken")
    def do_GET(self):
        said = sys.argv[2].encode() if self.path == "/latest/meta-data/spot/instance-action" else b""
        allowed = self.headers["X-aws-ec2-metadata-token"] == "t0ken"
        self.answer(401 if not allowed else 200 if said else 404, said)
    def answer(self, code, body):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

for command in ("ip link set lo up", "ip addr add 169.254.169.254/32 dev lo"):
    subprocess.run(command.split(), check=True)
server = HTTPServer(("169.254.169.254", 80), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(["/bin/sh", sys.argv[1]], env={"PATH": sys.argv[3]}).returncode)
"""


def can_enter() -> bool:
    tools = shutil.which("unshare") and shutil.which("ip")
    return bool(tools) and subprocess.run([*_ENTER, "true"], check=False, capture_output=True).returncode == 0


def ask(folder: Path, said: str, path: str) -> tuple[int, str]:
    (folder / "notice").write_text(NOTICE)
    (folder / "world.py").write_text(_WORLD)
    argv = [*_ENTER, sys.executable, str(folder / "world.py"), str(folder / "notice"), said, path]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.fixture(params=["curl", "python3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a PATH on which the machine has one of them and not the other."""
    if not can_enter():
        pytest.skip("needs `unshare` with user namespaces, and `ip`")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "date", request.param):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"needs {name}")
        (tools / name).symlink_to(found)
    return str(tools)


def test_a_machine_that_will_be_taken_learns_when(tmp_path: Path, path: str) -> None:
    said = '{"action": "terminate", "time": "2026-01-01T00:02:00Z"}'
    assert ask(tmp_path, said, path) == (0, "1767225720\n")


def test_a_machine_that_nobody_takes_learns_nothing(tmp_path: Path, path: str) -> None:
    code, out = ask(tmp_path, "", path)
    assert (code != 0, out) == (True, "")
