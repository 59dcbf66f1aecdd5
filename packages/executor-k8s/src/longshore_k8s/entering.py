"""A command beside an attempt, in its pod."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.model.attempt import split_attempt_id
from longshore.remote.packing import Broken
from longshore_k8s.client import Namespace
from longshore_k8s.manifests import FOLDER, shell_of
from longshore_k8s.programs import USE_TOOLS
from longshore_k8s.streams import ExecStream

__all__ = ["enter_pod"]

# A stream cannot say that its input has ended and stay open. So input comes in pieces, each after its size, and the
# last one is empty.
_SCRIPT = f"""
{USE_TOOLS}
folder=$1 name=$2
shift 2
cd "$folder" || exit 126
for place in "$folder"/*/work/"$name"; do
    [ ! -d "$place" ] || {{ cd "$place" || exit 126; break; }}
done
pipe=$folder/.input.$$
mkfifo -m 600 "$pipe" || exit 126
exec 3<&0
{{
    while read -r size && [ "$size" -gt 0 ]; do
        dd bs="$size" count=1 iflag=fullblock || break
    done
}} <&3 >"$pipe" 2>/dev/null &
exec <"$pipe" 3<&-
rm "$pipe"
exec "$@"
"""
_PIECE_BYTES = 8192
"""So much fits whenever a socket can take anything: whoever writes waits for nobody who does not read."""


def enter_pod(
    namespace: Namespace,
    pod: str,
    attempt: str,
    words: Sequence[str],
    *,
    feed: int | None,
    tell: Callable[[int, bytes], None],
    helped: bool,
) -> int:
    """Execute a command in an attempt's workdir; where it needed none, in the folder of ours. Give its exit code.

    ``feed`` and ``tell`` are as in `longshore.plugin.hosts.Enters.enter`; ``helped`` as in `begin`.

    Raises:
        MachineUnreachable: when the pod does not run, or the stream breaks.
        ExecutorError: when we may not.
    """
    _, task, number = split_attempt_id(attempt)
    argv = [shell_of(helped=helped), "-c", _SCRIPT, "sh", FOLDER, f"{task}.{number}", *words]
    stream = ExecStream(namespace.execute(pod, argv))
    try:
        _converse(stream, feed, tell)
    except Broken as error:
        raise MachineUnreachable(f"the stream to pod {pod} broke") from error
    finally:
        stream.close()
    code = stream.exit_code
    if code is None:
        raise ExecutorError(f"pod {pod}: {stream.complaint() or 'nobody says how the command ended'}")
    return code


def _converse(stream: ExecStream, feed: int | None, tell: Callable[[int, bytes], None]) -> None:
    """Pass on what the command writes, and to it what there is to read for it, until it has ended."""
    if feed is None:
        stream.send(b"0\n")
    while not stream.over:
        # Whatever has come is read first: a command that has ended reads no more, and has said so.
        if feed is not None and _waits_for_more(stream, feed):
            content = os.read(feed, _PIECE_BYTES)
            try:
                stream.send(b"%d\n" % len(content) + content)
            except Broken:
                content = b""  # it has ended just now; what it has said of that can be read
            feed = feed if content else None
            continue
        channel, content = stream.message()
        if channel in {1, 2} and content:
            tell(channel, content)


def _waits_for_more(stream: ExecStream, feed: int) -> bool:
    """Wait until the stream has something for us, or can take what there is for it; say whether the latter is so."""
    for wanted in ((feed, select.POLLIN), (stream.fileno(), select.POLLIN | select.POLLOUT)):
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        poll.register(*wanted)
        ready = dict(poll.poll(0 if stream.pending else None))
        if stream.pending or ready.get(stream.fileno(), 0) & ~select.POLLOUT:
            return False
    return True
