"""Starting programs in a pod: by its Python, or by the shim; each sent through the stream when it is not there, and
verified by digest.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from attrs import frozen

from longshore.errors import DiskFull, MachineUnreachable
from longshore.remote.beginning import CHECK, LOADER, NAMES, bundle, order, starter
from longshore.remote.packing import Broken
from longshore.remote.shim_session import shim_program
from longshore.remote.starter import MARK
from longshore_k8s.client import Namespace
from longshore_k8s.errors import ImageLacks, plain_text
from longshore_k8s.manifests import FOLDER, TOOLS, shell_of
from longshore_k8s.streams import ExecStream

__all__ = ["USE_TOOLS", "Begun", "begin", "read_line"]

_MOST_LINE = 1 << 16
USE_TOOLS = f'[ ! -d {TOOLS} ] || export PATH="${{PATH:-/usr/local/bin:/usr/bin:/bin}}:{TOOLS}"'
"""For a shell: after those of its own image a pod has the tools that were brought from another one."""
_SCRIPT = f"""
umask 077
f=$1 digest=$2 size=$3 program=$4 place=$5 starter=$6
fail() {{ echo "problem $1"; exit 1; }}
{USE_TOOLS}
for python in {" ".join(NAMES)}; do
    command -v "$python" >/dev/null 2>&1 || continue
    "$python" -I -S -c "{CHECK}" </dev/null >/dev/null 2>&1 || continue
    echo python
    loader="{LOADER}"
    exec "$python" -I -S -X utf8 -c "$loader" "$starter"
done
mkdir -p "$f/bin" || fail folder
cd "$f" || fail folder
if [ ! -e "bin/$digest.sh" ]; then
    echo need
    head -c "$size" >"bin/$$" || {{ rm -f "bin/$$"; fail full; }}
    found=$(sha256sum <"bin/$$") || fail sha256sum
    [ "${{found%% *}}" = "$digest" ] || {{ rm -f "bin/$$"; fail digest; }}
    mv "bin/$$" "bin/$digest.sh" || fail folder
fi
echo ready
case $place in
/*) ;;
*) place=$f/$place ;;
esac
exec sh "bin/$digest.sh" "$program" "$place"
"""
# Standard error stays open for as long as the program: containerd ends the input when either output ends.
_PROBLEMS = {
    "folder": f"{FOLDER} cannot be made there",
    "sha256sum": "its image has no sha256sum",
    "digest": "what was sent was damaged on its way",
}


@frozen(kw_only=True)
class Begun:
    """A program that has begun."""

    stream: ExecStream
    python: str
    """The pod's Python that executes it; empty where the shim does."""


def begin(namespace: Namespace, pod: str, program: str, place: str, seconds: float, *, helped: bool) -> Begun:
    """Start ``link`` or ``exchange``, which serves a place below our folder.

    With ``helped`` the pod has tools from another image than its own.

    Raises:
        MachineUnreachable: when there is no way to the pod, or it takes too long.
        DiskFull: when there is no room for the program.
        ImageLacks: when the image has no shell, or not what the shim needs.
        ExecutorError: when we may not execute.
    """
    content, digest = _shim()
    words = [FOLDER, digest, str(len(content)), program, place, str(len(starter()))]
    stream = ExecStream(namespace.execute(pod, [shell_of(helped=helped), "-c", _SCRIPT, "sh", *words]))
    try:
        line = read_line(stream, pod, seconds)
        if line == "python":
            return Begun(stream=stream, python=_by_python(stream, pod, program, place, seconds))
        if line == "need":
            stream.send(content)
            line = read_line(stream, pod, seconds)
        if line == "problem full":
            raise DiskFull(f"pod {pod} has no room for the shim: {stream.complaint()}")
        if line != "ready":
            word = line.removeprefix("problem ")
            raise ImageLacks(f"pod {pod}: {_PROBLEMS.get(word, plain_text(word))} {stream.complaint()}".rstrip())
    except Broken as error:
        stream.close()
        raise MachineUnreachable(f"the stream to pod {pod} broke while a program was being started") from error
    except BaseException:
        stream.close()
        raise
    return Begun(stream=stream, python="")


def _by_python(stream: ExecStream, pod: str, program: str, place: str, seconds: float) -> str:
    """Have the pod's Python become the program; give its path."""
    stream.send(order(FOLDER, program, place))
    told = _told(read_line(stream, pod, seconds))
    if told.get("need"):
        stream.send(bundle()[0])
        told = _told(read_line(stream, pod, seconds))
    if "problem" in told:
        kind = DiskFull if told.get("kind") == "full" else ImageLacks
        raise kind(f"pod {pod}: {plain_text(str(told['problem']))}")
    if "facts" not in told:
        raise MachineUnreachable(f"pod {pod} hung up while a program was being started")
    return str(told["executable"])


def _told(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line.removeprefix(MARK))
    except ValueError:
        told = {}
    return told if isinstance(told, dict) else {}


def read_line(stream: ExecStream, pod: str, seconds: float) -> str:
    """Read one line, and nothing of what follows.

    Raises:
        MachineUnreachable: when none comes.
        ImageLacks: when the pod has no shell.
    """
    line = bytearray()
    try:
        while not line.endswith(b"\n") and len(line) < _MOST_LINE:
            piece = stream.receive(1, seconds)
            if not piece:
                said = stream.complaint()
                if "executable file not found" in said or "no such file" in said:
                    raise ImageLacks(f"pod {pod}: its image has no sh, which the shim needs ({said})")
                raise MachineUnreachable(f"pod {pod} hung up while a program was being started: {said}")
            line += piece
    except TimeoutError as error:
        raise MachineUnreachable(f"pod {pod} takes longer than {seconds:g} s to start a program") from error
    except Broken as error:
        raise MachineUnreachable(f"the stream to pod {pod} broke while a program was being started") from error
    return line.decode("utf-8", "replace").rstrip("\n")


@cache
def _shim() -> tuple[bytes, str]:
    content = shim_program()
    return content, hashlib.sha256(content).hexdigest()
