"""Being a run's controller in this process: show it, obey signals, and tell how it ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from longshore.errors import LongshoreError
from longshore.model.events import Event
from longshore.runtime.history import RunReader
from longshore.runtime.run import Run
from longshore.scheduler.state import LIVE
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, is_terminal, say
from longshore_cli.text import counted

if TYPE_CHECKING:
    from longshore_cli.view.feed import Display

__all__ = ["Begin", "attend", "conclude"]

Begin = Callable[[Callable[[Sequence[Event]], None] | None], Run]
"""Makes the run, with whoever listens to it from its first event on."""

_INTERRUPTED = 130


class _LetGo(BaseException):
    """Raised in the main thread by a signal that asks us to go and leave what runs alone."""


def attend(begin: Begin, invocation: Invocation, *, answer: Callable[[object], None] = answer_json) -> int:
    """Begin a run and stay with it until it has ended or is let go; give the exit code of the command.

    ``answer`` gets the JSON document of the run, when one is wanted.

    Raises:
        LongshoreError: what prevents it from beginning, or stops its controller.
    """
    tell = _tell_quietly
    with ExitStack() as stack:
        if invocation.quiet and invocation.log_file is None:
            run = begin(None)
        else:
            # Only here, since a quiet run has no use for it.
            from longshore_cli.view.feed import Feed, Shown

            feed = Feed()
            run = begin(feed.listen)
            if not invocation.quiet:
                say(f"run {run.id}: {counted(sum(run.phases.values()), 'task')}")
            stack.enter_context(Shown(feed, _displays(run, invocation, stack)))
            tell = _tell_quietly if invocation.quiet else feed.say
        invocation.began = True
        with _signals(run, tell) as asked:
            try:
                run.wait()
            except _LetGo:
                run.detach()
                tell(f"What runs lives on without us; `longshore resume {run.id}` continues the run.")
            except LongshoreError as error:
                error.add_note(
                    f"The run has stopped, and what runs lives on; `longshore resume {run.id}` continues it."
                )
                raise
    return conclude(run.reader(), run.results, invocation, interrupted=bool(asked), answer=answer)


def _displays(run: Run, invocation: Invocation, stack: ExitStack) -> list[Display]:
    from longshore_cli.view.lines import LineDisplay, highest_rank
    from longshore_cli.view.words import Rank

    def again(task: str) -> bool:
        # Somewhat later than the failure itself, but a task that has gone on since was tried again, too.
        return run.task(task).phase not in {"failed", "lost", "cancelled"}

    displays: list[Display] = []
    if invocation.log_file is not None:
        file = stack.enter_context(invocation.log_file.open("a", encoding="utf-8", errors="backslashreplace"))
        displays.append(LineDisplay(file, Rank.VERBOSE, again))
    if invocation.quiet:
        return displays
    if is_terminal(sys.stderr):
        from longshore_cli.view.live import LiveDisplay

        rank = Rank.VERBOSE if invocation.verbosity > 0 else Rank.ALWAYS
        displays.append(LiveDisplay(sys.stderr, run.id, lambda: run.phases, rank, again))
    else:
        rank = highest_rank(invocation.verbosity, sum(run.phases.values()))
        displays.append(LineDisplay(sys.stderr, rank, again))
    return displays


def _tell_quietly(text: str) -> None:
    # Not by sys.stderr: a signal handler may interrupt a write to it, and it does not take a second one meanwhile.
    os.write(2, f"{text}\n".encode())


@contextmanager
def _signals(run: Run, tell: Callable[[str], None]) -> Iterator[list[int]]:
    """Turn signals into wishes for the run; gives the list of those that came."""
    asked: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) == 1:
            run.stop()
            live = sum(run.phases.get(phase, 0) for phase in LIVE)
            tell(f"Stopping: nothing more is started; {counted(live, 'task')} may end. Ctrl-C again cancels them.")
        elif len(asked) == 2:
            run.cancel()
            tell("Cancelling what runs. Ctrl-C again leaves it to itself.")
        else:
            raise _LetGo

    def let_go(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        raise _LetGo

    before = {signal.SIGINT: signal.signal(signal.SIGINT, interrupt)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup the terminal's end is to be ignored, and stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, let_go)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(
    reader: RunReader,
    results: Path,
    invocation: Invocation,
    *,
    interrupted: bool = False,
    answer: Callable[[object], None] = answer_json,
) -> int:
    """Tell how a run stands now, and turn that into an exit code."""
    # Behind the run, so that it costs a run of a few milliseconds nothing before it begins.
    from longshore_cli.summary import summarize

    summary = summarize(reader, results)
    state = summary.info.state
    if not invocation.quiet:
        for line in _figures(reader):
            say(line)
    if not (invocation.quiet and state == "succeeded" and not summary.undelivered):
        for line in summary.lines():
            say(line)
    if invocation.json:
        answer(summary.document())
    if state == "succeeded":
        return 1 if summary.undelivered else 0
    return _INTERRUPTED if interrupted or state == "interrupted" else 1


def _figures(reader: RunReader) -> list[str]:
    """Give the table of figures; nothing of a run in which at most one attempt was made, which has no mean."""
    from longshore_cli.report.figures import read_figures
    from longshore_cli.report.summary_table import summary_table

    figures = read_figures(reader)
    return summary_table([figures]).lines() if figures.attempts > 1 else []
