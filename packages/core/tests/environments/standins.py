"""Small programs that stand in for package managers whose servers no test reaches: they record how they are called."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from longshore.model.environment import BuildSpec, EnvironmentSpec
from longshore.remote.bundle import build_bundle
from longshore.remote.wire_builds import build_order

__all__ = ["APT", "JULIA", "MICROMAMBA", "SECONDS", "archive", "build", "calls", "program", "served", "steps"]

SECONDS = 600.0

# Records its arguments, fails where a package is called nosuch or clash, and makes what conda would leave behind.
MICROMAMBA = """\
#!/bin/sh
echo "micromamba $*" >> "$CALLS"
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=$2 ;;
    --file) cat "$2" >> "$CALLS" ;;
    nosuch*) echo "error    libmamba Could not solve for environment specs: nosuch =* does not exist" >&2; exit 1 ;;
    clash*) echo "error    libmamba clash 2.0 would require other >=3, which conflicts" >&2; exit 1 ;;
    esac
    shift
done
mkdir -p "$prefix/conda-meta" "$prefix/bin"
printf '{"url": "https://c/linux-64/gdal-3.9-0.conda", "md5": "ab12"}' > "$prefix/conda-meta/gdal-3.9-0.json"
printf '#!/bin/sh\\nexec PYTHON "$@"\\n' > "$prefix/bin/python"
printf '#!/bin/sh\\necho gdal of conda\\n' > "$prefix/bin/gdalinfo"
chmod 755 "$prefix/bin/python" "$prefix/bin/gdalinfo"
""".replace("PYTHON", sys.executable)

JULIA = """\
#!/bin/sh
for each; do
    case "$before $each" in "-e "*|*" -e") ;; *) words="$words $each" ;; esac
    before=$each
done
echo "julia$words" >> "$CALLS"
echo "$JULIA_PROJECT $JULIA_DEPOT_PATH" >> "$CALLS.env"
case "$*" in *nosuch*) echo "ERROR: The following package names could not be resolved: * nosuch" >&2; exit 1 ;; esac
echo '[[deps.CSV]]' > "$JULIA_PROJECT/Manifest.toml"
"""

# What its first argument is installed is told by a file; FAILS says what goes wrong.
APT = """\
#!/bin/sh
echo "apt-get $1" >> "$CALLS"
case ${FAILS-} in
locked) echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)" >&2; exit 100 ;;
untrusted) echo "E: Failed to fetch https://d/x.deb  Certificate verification failed" >&2; exit 100 ;;
offline) echo "E: Failed to fetch http://d/x.deb  Temporary failure in name resolution" >&2; exit 100 ;;
esac
if [ "$1" = update ]; then touch "$CALLS.updated"; exit; fi
for each; do last=$each; done
case $last in
nosuch) echo "E: Unable to locate package nosuch" >&2; exit 100 ;;
recent) [ -e "$CALLS.updated" ] || { echo "E: Unable to locate package recent" >&2; exit 100; } ;;
esac
echo "install $last" >> "$CALLS"
touch "$CALLS.$last"
"""
DPKG_QUERY = """\
#!/bin/sh
for each; do last=$each; done
[ -e "$CALLS.$last" ] || exit 1
case $* in *Status*) echo "installed 1.0" ;; *) echo "$last=1.0" ;; esac
"""


def program(folder: Path, name: str, text: str) -> Path:
    """Write an executable program."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def calls(folder: Path) -> list[str]:
    """Give what was recorded, a line for each call."""
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def build(
    folder: Path,
    spec: EnvironmentSpec,
    env: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
    **how: Any,
) -> dict[str, Any]:
    """Build an environment as a host does, with the stand-ins of ``<folder>/bin``; give the verdict."""
    bundle, order = folder / "bundle", folder / "order"
    bundle.write_bytes(build_bundle())
    order.mkdir(exist_ok=True)
    order.chmod(0o777)
    (order / "order.json").write_text(
        json.dumps(build_order(BuildSpec(id="r/+e/1", environment=spec)).message["build"])
    )
    variables = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CALLS": str(folder / "calls"), "HOME": str(folder)}
    words = [python, "-I", "-S", str(bundle), "build", str(folder / "cache" / "environments")]
    done = subprocess.run(
        words,
        cwd=order,
        env={**variables, **(env or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **how,
    )
    verdict = order / "verdict.json"
    assert verdict.exists(), done.stderr
    told: dict[str, Any] = json.loads(verdict.read_text())
    assert done.returncode == ("failure" in told)
    return {**told, "printed": done.stdout}


def steps(printed: str) -> list[str]:
    """Give the steps that a build has said it takes."""
    names = ("image", "before", "apt", "conda", "Python", "pip", "julia", "after")
    return [line.partition(":")[0] for line in printed.splitlines() if line.partition(":")[0] in names]


def archive(path: Path, name: str, text: str) -> str:
    """Write a compressed archive with one program in it; give its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = tarfile.TarInfo(f"some/bin/{name}")
    entry.size, entry.mode = len(text.encode()), 0o755
    with tarfile.open(path, "w:gz") as made:
        made.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder; give the address, and the list of paths that were asked for."""
    asked: list[str] = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=os.fspath(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
