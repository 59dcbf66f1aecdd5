"""An executor at work in a folder of its own, and ways to wait for what it tells."""

from __future__ import annotations

import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from longshore.errors import LongshoreError
from longshore.model.attempt import AttemptSpec, environment_of, split_attempt_id
from longshore.model.command import Argv, Command, Shell
from longshore.model.environment import BuildSpec
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.abilities import Builds
from longshore.plugin.protocols import Executor, ExecutorContext, Session, SessionEvent

__all__ = ["ExecutorBench", "Told"]

Told = SessionEvent
_GLANCE_SECONDS = 0.01
_NOTHING = Resources(cpus=0)
"""What the bench itself does finds room beside two attempts."""

_CONTROLLER = """
import sys
sys.path[:] = {path!r}
from longshore.testing.executor_bench import _control
_control({order!r})
"""


class ExecutorBench:
    """One run with one machine.

    What happens on the machine is seen only through attempts and their logs, so that the same laws hold for a machine
    that shares no files with us.
    """

    def __init__(
        self,
        folder: Path,
        factory: Callable[[Any, ExecutorContext], Executor],
        config: Any,
        machine: Machine,
        *,
        scratch: PurePosixPath | None = None,
        cut: Callable[[], None] | None = None,
        kill: Callable[[], None] | None = None,
        imposter: Machine | None = None,
        peer: Callable[[], Machine] | None = None,
        seconds: float = 120.0,
    ) -> None:
        """Prepare; nothing is opened before the first `open`.

        Args:
            folder: an empty folder on this computer; the run, the project and the store get places in it.
            factory: as in the plugin's `longshore.plugin.ExecutorRecord`; another process must be able to import it.
            config: what the factory takes first.
            machine: has room for two attempts at once.
            scratch: a folder on the machine that need not exist, for what attempts leave to each other.
            cut: breaks the link once, so that it can be made again.
            kill: ends what the executor has running on the machine, as a crash would; attempts may live on.
            imposter: a machine at the same address with another identity than the one that answers there.
            peer: gives another machine of the run, which has a store of its own; made when it is needed.
            seconds: no wait is longer.
        """
        self.base = folder
        self.project = folder / "project"
        self.run_folder = folder / "run"
        self.store = folder / "store"
        self.logs = self.run_folder / "logs"
        self.machine = machine
        self.scratch = scratch or PurePosixPath(folder / "scratch")
        self.cut = cut
        self.kill = kill
        self.imposter = imposter
        self.peer = peer
        self.seconds = seconds
        self.told: list[Told] = []
        self._factory = factory
        self._config = config
        self._queue: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._sessions: list[Session] = []
        self._begun: set[str] = set()
        self._looks = 0
        self.project.mkdir(exist_ok=True)

    # --- links

    def context(self, unattended: timedelta = timedelta(hours=1)) -> ExecutorContext:
        """Say what the core tells an executor."""
        return ExecutorContext(
            run="r",
            run_folder=self.run_folder,
            project_folder=self.project,
            store_folder=self.store,
            unattended=unattended,
        )

    def open(self, *, fence: int = 1, machine: Machine | None = None, **context: Any) -> Session:
        """Link to the machine; this is the session from now on."""
        executor = self._factory(self._config, self.context(**context))
        session = executor.open(machine or self.machine, fence=fence, sink=self._take)
        self._sessions.append(session)
        return session

    @property
    def session(self) -> Session:
        """The latest link; the first is made when it is needed."""
        return self._sessions[-1] if self._sessions else self.open()

    def turn_to(self, session: Session) -> None:
        """Let a link that was made before be the session from now on."""
        self._sessions.remove(session)
        self._sessions.append(session)

    def close(self) -> None:
        """Leave nothing running."""
        over = {f"r/{event.task}/{event.attempt}" for event in self._all() if isinstance(event, AttemptEnded)}
        for identity in self._begun - over:
            with suppress(LongshoreError):
                self.session.cancel(identity)
        for identity in self._begun - over:
            _, task, number = identity.split("/")
            with suppress(AssertionError):
                self._wait(
                    lambda event, task=task, number=number: (  # type: ignore[misc]
                        isinstance(event, AttemptEnded) and (event.task, event.attempt) == (task, int(number))
                    )
                )
        for session in self._sessions:
            session.close()

    def control_and_die(self, command: Command, number: int) -> None:
        """Let another process open the link, start attempt ``r/a/1``, and die of a signal when it runs."""
        fields = {field.name: getattr(self.machine, field.name) for field in attrs.fields(Machine)}
        fields["tags"] = dict(self.machine.tags)
        spec = AttemptSpec(id="r/a/1", command=command)
        order = pickle.dumps((self._factory, self._config, self.context(), fields, spec))
        program = _CONTROLLER.format(path=sys.path, order=order)
        self._begun.add(spec.id)
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as controller:
            assert controller.stdout is not None
            watchdog = threading.Timer(self.seconds, controller.kill)
            watchdog.start()
            assert controller.stdout.readline() == b"started\n", "the other controller's attempt did not start"
            controller.send_signal(number)
            controller.wait(self.seconds)
            watchdog.cancel()

    # --- attempts

    def go(self, task: str, command: Command, *, attempt: int = 1, **fields: Any) -> str:
        """Create an attempt, give it its inputs, and start it."""
        spec = AttemptSpec(id=f"r/{task}/{attempt}", command=command, **fields)
        self.session.create(spec)
        if spec.inputs:
            self.session.put(spec.id, spec.inputs)
        self._begun.add(spec.id)
        self.session.go(spec.id)
        return spec.id

    def execute(self, task: str, command: Command, **fields: Any) -> AttemptEnded:
        """Start an attempt and wait for its end."""
        self.go(task, command, **fields)
        return self.ended(task)

    def waiting(self, task: str, text: str = "", **fields: Any) -> str:
        """Start an attempt that runs until the gate opens; return when it runs."""
        identity = self.go(task, Shell(self.until_gate(text)), **fields)
        self.started(task)
        return identity

    def until_gate(self, text: str = "") -> str:
        """Shell text that does something, then waits for the gate. It looks for a file: any command can do that."""
        return f"mkdir -p {self.scratch}\n{text}\nuntil test -e {self.scratch}/gate; do sleep 0.01; done"

    def build(self, build: BuildSpec) -> EnvironmentBuilt | EnvironmentFailed:
        """Ask for an environment and wait for the build's end. The session must be able to build."""
        session = self.session
        assert isinstance(session, Builds)
        session.build(build)
        _, task, number = split_attempt_id(build.id)
        wanted = (environment_of(task), number)
        ended = self._wait(
            lambda event: (
                isinstance(event, EnvironmentBuilt | EnvironmentFailed) and (event.environment, event.number) == wanted
            )
        )
        session.release(build.id)
        assert isinstance(ended, EnvironmentBuilt | EnvironmentFailed)
        return ended

    def open_gate(self) -> None:
        """Let the attempts that wait go on."""
        self.output(f"mkdir -p {self.scratch}; touch {self.scratch}/gate")

    def output(self, text: str) -> str:
        """Give what a shell on the machine writes to stdout."""
        self._looks += 1
        task = f"look{self._looks}"
        ended = self.execute(task, Shell(text), needs=_NOTHING)
        assert ended.failure is None, ended
        return self.log(task)

    def log(self, task: str, stream: str = "out", *, attempt: int = 1) -> str:
        """Read what has arrived here of an attempt's output."""
        path = self.logs / f"{task}.{attempt}.{stream}"
        return path.read_text() if path.exists() else ""

    def log_becomes(self, text: str, task: str, stream: str = "out") -> None:
        """Wait until the output of an attempt has arrived."""
        deadline = time.monotonic() + self.seconds
        glance = threading.Event()
        while (found := self.log(task, stream)) != text:
            assert time.monotonic() < deadline, f"the {stream} of {task} is {found!r} and not {text!r}"
            glance.wait(_GLANCE_SECONDS)

    # --- what is told

    def ended(self, task: str, times: int = 1) -> AttemptEnded:
        """Wait until the end of a task's attempt has been told so often."""
        return self._wait(lambda e: isinstance(e, AttemptEnded) and e.task == task, times)  # type: ignore[return-value]

    def started(self, task: str, times: int = 1) -> AttemptStarted:
        """Wait until the start of a task's attempt has been told so often."""
        return self._wait(lambda e: isinstance(e, AttemptStarted) and e.task == task, times)  # type: ignore[return-value]

    def gone(self) -> MachineGone:
        """Wait until the machine is said to be gone."""
        return self._wait(lambda e: isinstance(e, MachineGone))  # type: ignore[return-value]

    def settled(self) -> list[Told]:
        """Everything told up to the end of an attempt that is started now."""
        number = 1 + sum(isinstance(event, AttemptEnded) and event.task == "settle" for event in self.told)
        self.go("settle", Argv(("true",)), attempt=number, needs=_NOTHING)
        self.ended("settle", number)
        return self._all()

    def ends_of(self, task: str) -> list[AttemptEnded]:
        """All ends of a task's attempts that are told, now that nothing more is to come."""
        return [event for event in self.settled() if isinstance(event, AttemptEnded) and event.task == task]

    def _take(self, *events: Told) -> None:
        for event in events:
            self._queue.put(event)

    def _all(self) -> list[Told]:
        with suppress(queue.Empty):
            while True:
                self.told.append(self._queue.get_nowait())
        return self.told

    def _wait(self, matches: Callable[[Told], bool], times: int = 1) -> Told:
        while len(found := [event for event in self._all() if matches(event)]) < times:
            try:
                self.told.append(self._queue.get(timeout=self.seconds))
            except queue.Empty:
                raise AssertionError(f"nothing was told for {self.seconds:g} s; before that: {self.told}") from None
        return found[times - 1]


def _control(order: bytes) -> None:
    """Be the controller that is going to die."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who is started in the background ignores it, and so do we then
    factory, config, context, fields, spec = pickle.loads(order)  # noqa: S301  from `control_and_die`
    started = threading.Event()
    session = factory(config, context).open(Machine(**fields), fence=1, sink=lambda *_: started.set())
    session.create(spec)
    session.go(spec.id)
    started.wait()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    sys.stdin.read()
