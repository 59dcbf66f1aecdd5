"""Starting the shim in a pod: sent through the stream when it is not there, and verified by digest."""

from __future__ import annotations

import hashlib
from functools import cache

from longshore.errors import DiskFull, MachineUnreachable
from longshore.remote.packing import Broken
from longshore.remote.shim_session import shim_program
from longshore_k8s.client import Namespace
from longshore_k8s.errors import ImageLacks, plain_text
from longshore_k8s.manifests import FOLDER
from longshore_k8s.streams import ExecStream

__all__ = ["begin", "read_line"]

_MOST_LINE = 1 << 16
_SCRIPT = """
umask 077
f=$1 digest=$2 size=$3 program=$4 place=$5
fail() { echo "problem $1"; exit 1; }
mkdir -p "$f/bin" || fail folder
cd "$f" || fail folder
if [ ! -e "bin/$digest.sh" ]; then
    echo need
    head -c "$size" >"bin/$$" || { rm -f "bin/$$"; fail full; }
    found=$(sha256sum <"bin/$$") || fail sha256sum
    [ "${found%% *}" = "$digest" ] || { rm -f "bin/$$"; fail digest; }
    mv "bin/$$" "bin/$digest.sh" || fail folder
fi
echo ready
exec sh "bin/$digest.sh" "$program" "$f/$place" 2>/dev/null
"""
_PROBLEMS = {
    "folder": f"{FOLDER} cannot be made there",
    "sha256sum": "its image has no sha256sum",
    "digest": "what was sent was damaged on its way",
}


def begin(namespace: Namespace, pod: str, program: str, place: str, seconds: float) -> ExecStream:
    """Start ``link`` or ``exchange``, which serves a place below our folder; give the stream to it.

    Raises:
        MachineUnreachable: when there is no way to the pod, or it takes too long.
        DiskFull: when there is no room for the shim.
        ImageLacks: when the image has no shell, or not what the shim needs.
        ExecutorError: when we may not execute.
    """
    content, digest = _shim()
    argv = ["sh", "-c", _SCRIPT, "sh", FOLDER, digest, str(len(content)), program, place]
    stream = ExecStream(namespace.execute(pod, argv))
    try:
        line = read_line(stream, pod, seconds)
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
    return stream


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
