"""One command on one machine of a pool: a run of one task, whose output is shown as it comes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from longshore import Run, RunOptions, start
from longshore.config.renting import Renting, read_renting
from longshore.errors import LongshoreError, UsageError
from longshore.machines.clusters import running_attempt
from longshore.model.command import Argv
from longshore.model.events import AttemptEnded, Event
from longshore.model.names import near
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore.model.workflow import LOCAL_POOL, PoolSpec, WorkflowSpec
from longshore.remote.store import remove_tree
from longshore.runtime.changes import Changes
from longshore.runtime.lock import acquire
from longshore.runtime.project import Project
from longshore_cli.by_hand import enter_attempt
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.places import folder_of
from longshore_cli.running import agree_to_pay
from longshore_cli.summary import summarize
from longshore_cli.text import clean

__all__ = ["execute"]

_TASK = "exec"
_CHUNK = 1 << 16
_NOT_STARTED = (126, 127)
"""Exit codes, as of a shell, that say nothing by themselves."""
_SIGNALLED = 128
_STREAMS: Mapping[str, int] = {".out": 1, ".err": 2}


def execute(
    invocation: Invocation, folder: Path | None, pool: str, words: Sequence[str], *, needs: Resources, yes: bool
) -> int:
    """Run a command, and give its exit code; 1 when it has none. ``pool`` may be a task that runs.

    Raises:
        UsageError: when there is neither.
        LongshoreError: whatever stops the controller.
    """
    place = folder_of(folder).absolute()
    known = read_renting(place)
    if pool not in {*known.pools, LOCAL_POOL} and (running := running_attempt(pool, folder=place)) is not None:
        return enter_attempt(invocation, place, running, words)
    spec = WorkflowSpec(
        name=_TASK,
        tasks=(TaskSpec(name=_TASK, command=Argv(tuple(words)), pool=pool, needs=needs),),
        pools=(_pool(known, pool),),
        providers=known.providers,
        project=known.project,
    )
    agree_to_pay(spec, yes=yes)
    # Beside the project's own runs: nobody resumes these, and the latest run stays what it is.
    aside = Project(place).home / "exec"
    aside.mkdir(parents=True, exist_ok=True)
    ends: list[AttemptEnded] = []

    def listen(events: Sequence[Event]) -> None:
        ends.extend(event for event in events if isinstance(event, AttemptEnded))

    run = start(spec, aside, RunOptions(cache=False), listen=listen)
    invocation.began = True
    try:
        _show(run)
        return _conclude(run, ends)
    except KeyboardInterrupt:
        run.cancel()
        _show(run)
        raise
    finally:
        _forget(run)


def _pool(known: Renting, name: str) -> PoolSpec:
    found = known.pools.get(name)
    if found is not None:
        return found
    if name == LOCAL_POOL:
        return PoolSpec(name=LOCAL_POOL)
    close = near(name, [*known.pools, LOCAL_POOL])
    remedy = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join([*known.pools, LOCAL_POOL])}"
    raise UsageError(f"there is no pool {name!r}, and no task of that name runs; {remedy}")


def _show(run: Run) -> None:
    """Pass on what the command writes until the run is over."""
    folder = run.folder / "logs"
    folder.mkdir(exist_ok=True)
    shown: dict[Path, int] = {}
    with _end_of(run) as ended, Changes([folder]) as changes:
        over = False
        while True:
            for path in sorted(folder.glob(f"{_TASK}.*")):
                if path.suffix in _STREAMS:
                    shown[path] = _copy(path, shown.get(path, 0))
            if over:
                return
            over = ended in changes.wait([ended])


@contextmanager
def _end_of(run: Run) -> Iterator[int]:
    """Give a descriptor that becomes readable when the run is over."""
    reading, writing = os.pipe()

    def wait() -> None:
        with suppress(LongshoreError):  # told by whoever waits for the run itself
            run.wait()
        os.close(writing)

    threading.Thread(target=wait, daemon=True).start()
    try:
        yield reading
    finally:
        os.close(reading)


def _copy(path: Path, offset: int) -> int:
    """Write what stands in a file from an offset on, byte by byte as it is; give the offset of its end."""
    stream = (sys.stdout if _STREAMS[path.suffix] == 1 else sys.stderr).buffer
    with path.open("rb") as file:
        file.seek(offset)
        while data := file.read(_CHUNK):
            offset += len(data)
            stream.write(data)
    stream.flush()
    return offset


def _conclude(run: Run, ends: Sequence[AttemptEnded]) -> int:
    run.wait()
    if not ends:
        for line in summarize(run.reader(), run.results).lines():
            say(line)
        return 1
    end = ends[-1]
    match end.outcome:
        case Exited(code):
            if code in _NOT_STARTED or end.failure not in {None, FailureClass.USER_CODE}:
                say(f"longshore: {clean(end.evidence)}")
            return code if code >= 0 else _SIGNALLED - code
        case Lost(reason):
            say(f"longshore: {clean(reason)}")
        case Cancelled():
            say("longshore: it was cancelled")
    return 1


def _forget(run: Run) -> None:
    """Leave nothing of a run that has ended."""
    with suppress(LongshoreError), acquire(run.folder):
        if run.reader().info().ended is not None:
            remove_tree(str(run.folder))
