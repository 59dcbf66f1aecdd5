"""A command beside an attempt, in its pod."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.model.attempt import split_attempt_id
from longshore.remote.packing import Broken
from longshore_k8s.client import Namespace
from longshore_k8s.manifests import FOLDER
from longshore_k8s.streams import ExecStream

__all__ = ["enter_pod"]

_SCRIPT = """
for place in "$1"/*/work/"$2"; do
    [ ! -d "$place" ] || { cd "$place" && shift 2 && exec "$@"; exit 126; }
done
cd "$1" && shift 2 && exec "$@"
"""


def enter_pod(
    namespace: Namespace, pod: str, attempt: str, words: Sequence[str], tell: Callable[[int, bytes], None]
) -> int:
    """Execute a command in an attempt's workdir; where it needed none, in the folder of ours. Give its exit code.

    Raises:
        MachineUnreachable: when the pod does not run, or the stream breaks.
        ExecutorError: when we may not.
    """
    _, task, number = split_attempt_id(attempt)
    argv = ["sh", "-c", _SCRIPT, "sh", FOLDER, f"{task}.{number}", *words]
    stream = ExecStream(namespace.execute(pod, argv, feed=False))
    try:
        while not stream.over:
            channel, content = stream.message()
            if channel in {1, 2} and content:
                tell(channel, content)
    except Broken as error:
        raise MachineUnreachable(f"the stream to pod {pod} broke") from error
    finally:
        stream.close()
    code = stream.exit_code
    if code is None:
        raise ExecutorError(f"pod {pod}: {stream.complaint() or 'nobody says how the command ended'}")
    return code
