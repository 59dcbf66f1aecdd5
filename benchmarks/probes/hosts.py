"""Be hosts that answer SSH, on loopback addresses, until standard input ends.

Usage: hosts.py FOLDER COUNT KIND

KIND is what is on them: `python` for all that is here, else the shell that they have without Python: `bash`, `dash`, or
`busybox` with nothing beside its applets. FOLDER/ssh_config names them h1, h2 and so on; then a line says `ready`.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from longshore_ssh.testing import Lab, missing, programs_without_python


def programs(lab: Lab, kind: str) -> Path | None:
    """Fill the folder of programs of hosts without Python; None for the usual programs."""
    if kind == "python":
        return None
    folder = lab.folder / "programs"
    folder.mkdir()
    if kind == "busybox":
        folder.chmod(0o755)
        shown = subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
        for applet in shown.stdout.split():
            (folder / applet).symlink_to("/bin/busybox")
        return folder
    programs_without_python(folder)
    (folder / "sh").unlink()
    (folder / "sh").symlink_to(f"/bin/{kind}")
    return folder


def main(folder: Path, count: int, kind: str) -> None:
    """Serve until nobody wants that any more."""
    if reason := missing():
        sys.exit(reason)
    with closing(Lab()) as lab:
        found = programs(lab, kind)
        for _ in range(count):
            lab.host(path=found)
        (folder / "ssh_config").write_text(lab.ssh_config(*(f"h{number}" for number in range(1, count + 1))))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
