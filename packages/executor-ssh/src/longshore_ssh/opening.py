"""Links of a run to its hosts: the program of ours that lives on each, and the session that speaks with it."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Any

from longshore.errors import FenceRefused
from longshore.model.machine import Machine
from longshore.plugin.boot import BEAT_FILE
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.peers import PeerSession
from longshore.remote.protocol import VERSION
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore.remote.shim_session import ShimSession
from longshore_ssh.config import SshConfig
from longshore_ssh.programs import SHIM
from longshore_ssh.session import SshLink
from longshore_ssh.targets import Target

__all__ = ["open_session"]

_PLAIN = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*", re.ASCII)


def open_session(
    target: Target,
    machine: Machine,
    fence: int,
    sink: Sink,
    config: SshConfig,
    context: ExecutorContext,
    shared: SharedStore | None,
) -> RemoteSession:
    """Link to a host; the errors are those of `SshExecutor.open`."""
    run = context.run
    place = f"runs/{_name(run)}.{_name(machine.id)}"
    # A machine's id is longer than its pool's name, which is the store's, so nobody else's folder is called so.
    store = f"runs/{_name(run)}.{_name(machine.store)}/store" if machine.store else f"{place}/store"
    link = SshLink(target, config, place, store)
    try:
        link.open()
        link.meet()
        if fence < link.fence:
            newer = f"a newer controller has taken run {run} over (its fence is {link.fence})"
            raise FenceRefused(newer, fence=link.fence)
        hello = _hello(machine, link, context, fence)
        kind = ShimSession if link.python == SHIM else PeerSession
        return kind(machine.id, hello, link, sink, context, shared=shared if machine.store else None)
    except BaseException:
        link.close()
        raise


def _name(text: str) -> str:
    """Give a name as a file's, different for different names."""
    if _PLAIN.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9_.@+-]", "_", text).lstrip(".") + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _hello(machine: Machine, link: SshLink, context: ExecutorContext, fence: int) -> dict[str, Any]:
    return {
        "op": "hello",
        "version": VERSION,
        "fence": fence,
        "cpus": machine.resources.cpus,
        "memory": machine.resources.memory_bytes,
        "gpus": [str(index) for index in range(machine.resources.gpus)],
        "slots": machine.slots,
        "env": None,
        "python": link.python,
        "project": link.folder,
        "store": link.store,
        "logs": f"{link.folder}/logs",
        "unattended": context.unattended.total_seconds(),
        "tied": False,
        "beat_file": BEAT_FILE,
        "room": str(PurePosixPath(link.folder).parents[1] / "room"),
    }
