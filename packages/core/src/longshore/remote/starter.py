"""What a host's own Python executes first, when somebody has logged in: it finds or makes our folder, takes the bundle
if it is not there, tells what the host is like, and becomes the program that was asked for.

It is sent as text and reads an order: eight digits that say how long it is, then a JSON object with ``folder``,
``digest`` and ``size`` of the bundle, ``program`` (``facts`` for none) and ``place``, a path below the folder. It
answers lines of `MARK` and a JSON object: ``need`` true, after which it reads the bundle; at last ``facts``,
``executable`` (this Python), ``folder`` and ``place`` as they are; or ``problem`` with ``kind`` (full, folder or
bundle) in place of these.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MARK", "start"]

MARK = "longshore:"
_TOOLS = ("sh", "bash", "git", "rsync", "tar", "docker", "podman", "apptainer", "conda", "uv", "nvidia-smi")


def tell(message: dict[str, Any]) -> None:
    """Answer a line."""
    line = (MARK + json.dumps(message) + "\n").encode("ascii")
    while line:
        line = line[os.write(1, line) :]


def read_exactly(size: int) -> bytes:
    """Read so many bytes of standard input, and none of what follows."""
    pieces = []
    while size:
        piece = os.read(0, min(size, 1 << 16))
        if not piece:
            sys.exit(1)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def own_folder(path: str) -> str:
    """Make the folder that everything of ours is in; nobody else may write there."""
    path = os.path.abspath(os.path.expanduser(path))
    os.makedirs(path, mode=0o700, exist_ok=True)
    status = os.stat(path)
    if status.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it belongs to somebody else", path)
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(path, 0o700)
    return path


def bundle_in(folder: str, digest: str, size: int) -> str:
    """Give the path of the bundle, and take it if it is not there."""
    path = os.path.join(folder, "bin", digest + ".pyz")
    try:
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() == digest:
                return path
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    tell({"need": True})
    content = read_exactly(size)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("it was damaged on its way")
    beside = "%s.%s" % (path, os.urandom(6).hex())  # hosts with one file system may do this at once
    try:
        with open(beside, "wb") as file:
            file.write(content)
        os.rename(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
    return path


def facts_of(folder: str) -> dict[str, Any]:
    """Tell what this host is like."""
    import platform  # noqa: PLC0415  only when asked for
    import shutil  # noqa: PLC0415  as above

    from longshore.remote.computer import gpu_names, memory_bytes, usable_cpus  # noqa: PLC0415  from the bundle

    names = {}
    try:
        with open("/etc/os-release") as file:
            names = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    except OSError:
        pass
    return {
        "cpus": usable_cpus(),
        "memory": memory_bytes(),
        "gpus": len(gpu_names()),
        "disk": shutil.disk_usage(folder).free,
        "arch": platform.machine(),
        "os": names.get("PRETTY_NAME", platform.system()).strip('"'),
        "python": platform.python_version(),
        "time": time.time(),
        "tools": [tool for tool in _TOOLS if shutil.which(tool)],
    }


def start(text: bytes) -> None:
    """Do what the line says."""
    asked = json.loads(text)
    where = asked["folder"]
    kind = "folder"
    try:
        os.umask(0o077)
        folder = own_folder(where)
        kind = "bundle"
        bundle = bundle_in(folder, asked["digest"], asked["size"])
        place = os.path.join(folder, asked["place"])
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = getattr(error, "strerror", None) or str(error)
        name = getattr(error, "filename", None) or where
        tell({"problem": "%s: %s" % (name, reason), "kind": "full" if full else kind})
        sys.exit(0)
    sys.path.insert(0, bundle)
    facts = facts_of(folder) if asked["program"] == "facts" else {"time": time.time()}
    tell({"facts": facts, "executable": sys.executable, "folder": folder, "place": place})
    # What a program complains of must not get among what it says. The stream stays open for as long as we are there:
    # containerd ends the input of a program when either of its outputs ends.
    os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if asked["program"] == "link":
        from longshore.remote.relay import relay  # noqa: PLC0415  from the bundle

        relay(place, bundle)
    elif asked["program"] == "exchange":
        from longshore.remote.exchange import exchange  # noqa: PLC0415  from the bundle

        exchange(place)


if __name__ == "__main__":
    start(read_exactly(int(read_exactly(8))))
