"""Opening rented machines: each in a thread of its own, again and again while it boots, until a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from longshore.errors import FenceRefused, LongshoreError, MachineUnreachable, RunError
from longshore.model.machine import Machine
from longshore.plugin.protocols import Executor, Session, Sink

__all__ = ["Opened", "Opening"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@frozen(kw_only=True)
class Opened:
    """How an opening ended."""

    machine: Machine
    session: Session | None = None
    reason: str = ""
    """Why there is no session."""
    error: LongshoreError | None = None
    """Set when the controller has to stop."""


class Opening:
    """One machine that is being opened.

    Nobody but the machine could say when it is ready, and it has no way to us before it is: so it is tried, with
    growing pauses.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        machine: Callable[[], Machine],
        fence: int,
        sink: Sink,
        until: datetime,
        now: Callable[[], datetime],
        done: Callable[[Opened], None],
    ) -> None:
        """``machine`` gives what is known of it now (its address may come later), ``done`` is told the end once."""
        self._executor = executor
        self._machine = machine
        self._fence = fence
        self._sink = sink
        self._until = until
        self._now = now
        self._done = done
        self._stop = threading.Event()
        name = f"longshore-open-{machine().id}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self) -> None:
        """Try no more; a session that comes all the same is still told of."""
        self._stop.set()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            machine = self._machine()
            try:
                session = self._executor.open(machine, fence=self._fence, sink=self._sink)
            except MachineUnreachable as error:
                if self._now() >= self._until:
                    self._done(Opened(machine=machine, reason=str(error)))
                    return
            except FenceRefused as error:
                self._done(Opened(machine=machine, error=error, reason=str(error)))
                return
            except LongshoreError as error:
                self._done(Opened(machine=machine, reason=str(error)))
                return
            except Exception as error:  # noqa: BLE001  an executor's bug must end in words, not in a thread
                wrapped = RunError(f"the executor failed on {machine.id}: {type(error).__name__}: {error}")
                wrapped.__cause__ = error
                self._done(Opened(machine=machine, error=wrapped, reason=str(wrapped)))
                return
            else:
                self._done(Opened(machine=machine, session=session))
                return
            if self._stop.wait(pause):
                self._done(Opened(machine=machine, reason="it is not needed any more"))
                return
            pause = min(pause * 1.5, _LONGEST_PAUSE)
