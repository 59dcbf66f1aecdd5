"""One attempt while it is in the supervisor's hands, and the line that tells how it ended.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import time

from longshore.remote.protocol import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from longshore.remote.calls import Worker
    from longshore.remote.collecting import Rows
    from longshore.remote.laid import Laid
    from longshore.remote.limits import MemoryLimit
    from longshore.remote.logs import Logs
    from longshore.remote.watch import Timer

__all__ = ["CLOSING", "COLLECTING", "OVER", "RUNNING", "STAGING", "WAITING", "Attempt", "BadOrder", "is_made"]

WAITING = "waiting"  # for room
STAGING = "staging"  # its inputs are being laid
RUNNING = "running"
CLOSING = "closing"  # its first process is over, and others of it are not
COLLECTING = "collecting"  # its outputs are being stored
OVER = "over"


class BadOrder(Exception):
    """An order that cannot be carried out, in words."""


class Attempt:
    """What was ordered, how far it is, and what is known of its end."""

    __slots__ = (
        "announced",
        "cancelled",
        "code",
        "container",
        "cpu_seconds",
        "cpus",
        "evidence",
        "failure",
        "followers",
        "gpu_names",
        "gpus",
        "grace",
        "has_room",
        "id",
        "laid",
        "leader",
        "limit",
        "logs",
        "lost",
        "mark",
        "memory",
        "name",
        "order",
        "outputs",
        "peak_bytes",
        "result",
        "secrets",
        "started",
        "started_boot",
        "state",
        "timed_out",
        "timer",
        "warned",
        "workdir",
        "worker",
    )

    def __init__(self, order: dict[str, Any], place: str) -> None:
        self.id: str = order["id"]
        # Another run of this computer may have an attempt of the same id: another project, another folder.
        self.mark = self.id + "@" + place
        _, task, number = self.id.split("/")
        self.name = task + "." + number
        self.order = order
        self.cpus: float = order.get("cpus", 1.0)
        self.memory: int = order.get("memory", 0)
        self.gpus: int = order.get("gpus", 0)
        self.grace: float = order.get("grace", 5.0)
        self.gpu_names: list[str] = []
        self.followers: list[Attempt] = []
        """Short calls that are handed to the same worker together with this one."""
        self.secrets: list[str] = [row[0] for row in order.get("secrets", ())]
        self.state = WAITING
        self.has_room = False
        """Whether it has taken what it needs from the room there is."""
        self.workdir = ""
        self.laid: list[Laid] = []
        """The folders in its workdir that another attempt may have after it, if it leaves them as they are."""
        self.logs: Logs | None = None
        self.limit: MemoryLimit | None = None
        self.worker: Worker | None = None
        """The worker that makes its call; None for commands, and when that has ended."""
        self.leader = 0
        """The process that leads the attempt's session: the command, or the worker that makes the call; 0 when there is
        none.
        """
        self.container: list[str] = []
        """The words that remove the container in which it runs; none when it runs in none."""
        self.timer: Timer | None = None
        self.announced = False
        self.cancelled = False
        self.timed_out = False
        self.warned = False
        """Whether it has got SIGTERM since the machine will be taken away."""
        self.started = 0.0
        self.started_boot = 0.0
        """The same by the clock since boot, just after the start."""
        self.code: int | None = None
        self.lost = ""
        self.failure = ""
        self.evidence = ""
        self.cpu_seconds = 0.0
        self.peak_bytes = 0
        self.outputs: Rows = []
        self.result: str | None = None

    @property
    def has_own_folder(self) -> bool:
        """Whether it needs a folder of its own name from the beginning."""
        order = self.order
        return bool("outputs" in order or "inputs" in order or "build" in order or self.secrets or order.get("keep"))

    @property
    def succeeded(self) -> bool:
        """Whether nothing has gone wrong, so far."""
        return self.code == 0 and not (self.failure or self.cancelled or self.timed_out or self.lost)

    def pass_on(self, follower: Attempt) -> None:
        """Leave everything to the next call of the same batch, which is as this one found it."""
        follower.has_room, self.has_room = self.has_room, False
        follower.logs, self.logs = self.logs, None
        self.workdir = ""
        self.worker = None
        self.leader = 0

    def fail(self, failure: str, evidence: str) -> None:
        """Note what went wrong; the first thing counts, later ones add evidence."""
        self.failure = self.failure or failure
        self.evidence = self.evidence + "\n" + evidence if self.evidence else evidence

    def intent_line(self) -> bytes:
        """Say that it is about to begin, for the record: all that is needed to clean up after it, and no secret."""
        told: dict[str, Any] = {"event": "intent", "id": self.id, "at": self.started_boot, "workdir": self.workdir}
        if self.secrets:
            told["secrets"] = self.secrets
        for kind in ("call", "build"):
            if kind in self.order:
                told[kind] = True
        if self.cpus != 1.0 or self.memory or self.gpus:
            told["needs"] = [self.cpus, self.memory, self.gpu_names]
        return encode(told)

    def pid_line(self) -> bytes:
        """Say which process leads it, for the record."""
        told: dict[str, Any] = {"event": "pid", "id": self.id, "pid": self.leader, "at": self.started_boot}
        if self.container:
            told["container"] = self.container
        return encode(told)

    def started_line(self) -> bytes:
        """Say that it runs."""
        return encode({"event": "started", "id": self.id, "at": self.started, "workdir": self.workdir})

    def ended_line(self, workdir: str) -> bytes:
        """Say how it ended, and where its folder is kept."""
        told: dict[str, Any] = {"event": "ended", "id": self.id}
        if self.cancelled:
            told["cancelled"] = True
        elif self.lost or self.code is None:
            told["lost"] = self.lost
        else:
            told["code"] = self.code
        if self.failure and not self.cancelled:
            told["failure"] = self.failure
        if self.evidence:
            told["evidence"] = self.evidence
        if self.started:
            told["started"] = self.started
            told["cpu"] = round(self.cpu_seconds, 6)
            told["memory"] = self.peak_bytes
        told["ended"] = time.time()
        if self.outputs:
            told["outputs"] = self.outputs
        if self.result is not None:
            told["result"] = self.result
        if workdir:
            told["workdir"] = workdir
        return encode(told)


def is_made(attempt: Attempt) -> bool:
    """Say whether a call has been made, though its end is still to be told: its worker has gone on to the next one of
    its batch, or has claimed it and is about to answer.
    """
    if attempt.worker is None:
        return attempt.state == RUNNING and attempt.leader == 0
    batch = attempt.worker.batch
    return len(batch) > 1 and batch[0] is attempt
