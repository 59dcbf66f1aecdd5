"""Azure's metadata service at its address, for a network of its own.

unshare --net --map-root-user python metadata.py ANSWERS PROGRAM...

ANSWERS is JSON: what the service says, by path. PROGRAM is executed where it can be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

__all__ = ["serve"]

_ADDRESS = "169.254.169.254"


def serve(answers: Mapping[str, str]) -> None:
    """Switch the network on, and answer as long as this process lives; whom Azure would refuse is refused."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = answers.get(self.path) if self.headers["Metadata"] == "true" else None
            self.send_response(400 if said is None else 200)
            self.end_headers()
            self.wfile.write((said or "").encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for command in ("ip link set lo up", f"ip addr add {_ADDRESS}/32 dev lo"):
        subprocess.run(command.split(), check=True)
    server = HTTPServer((_ADDRESS, 80), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
    sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
