"""A run on a terminal: a few lines that are redrawn, and above them, for good, what failed."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

from longshore.model.events import AttemptEnded, AttemptStarted, Event
from longshore.scheduler.state import ENDED, TaskPhase
from longshore_cli.text import duration
from longshore_cli.view.words import Again, lines_of

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["LiveDisplay", "Progress"]

_PATIENCE_SECONDS = 0.3
"""A run that ends sooner needs no view, and is spared the import of what draws it."""
_MOST_RUNNING = 8
_WIDEST_BAR = 60
_STYLES = {
    "succeeded": "green",
    "up to date": "green",
    "running": "cyan",
    "failed": "red",
    "lost": "red",
    "cancelled": "yellow",
    "skipped": "yellow",
}

Phases = Callable[[], Mapping[TaskPhase, int]]


class Progress:
    """Which tasks run, since when. Tasks that end within milliseconds are never told to have started."""

    def __init__(self) -> None:
        self.running: OrderedDict[str, datetime] = OrderedDict()

    def take(self, event: Event) -> None:
        """Let an event count."""
        match event:
            case AttemptStarted(task=task, at=at):
                self.running.setdefault(task, at)
            case AttemptEnded(task=task):
                self.running.pop(task, None)
            case _:
                pass

    def longest(self, most: int) -> list[tuple[str, datetime]]:
        """List those that have run longest."""
        return [pair for pair, _ in zip(self.running.items(), range(most), strict=False)]


class LiveDisplay:
    """Redraws a bar, the counts and the running tasks; failures are printed above and stay."""

    def __init__(
        self,
        stream: TextIO,
        title: str,
        phases: Phases,
        rank: int,
        again: Again,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin; nothing is drawn before there is something to say, or patience is over by the ``clock`` (seconds)."""
        self._stream = stream
        self._title = title
        self._phases = phases
        self._rank = rank
        self._again = again
        self._progress = Progress()
        self._clock = clock
        self._began = clock()
        self._screen: _Screen | None = None
        self._unsaid: list[tuple[str, str]] = []

    @property
    def tick(self) -> float | None:
        """A second, since it shows how long tasks have been running; less until it has begun to show anything."""
        return _PATIENCE_SECONDS if self._screen is None else 1.0

    def take(self, events: Sequence[Event]) -> None:
        """Redraw."""
        for event in events:
            self._progress.take(event)
            self._unsaid += [
                (line.text, line.state) for line in lines_of(event, self._again) if line.rank <= self._rank
            ]
        if self._screen is None and self._clock() - self._began < _PATIENCE_SECONDS:
            return
        self._draw()

    def say(self, text: str) -> None:
        """Print a message above the lines that are redrawn."""
        self._unsaid.append((text, ""))
        self._draw()

    def close(self) -> None:
        """Wipe what was redrawn, and print what is still to be said."""
        if self._unsaid:
            self._draw()
        if self._screen is not None:
            self._screen.close()

    def _draw(self) -> None:
        if self._screen is None:
            self._screen = _Screen(self._stream)
        unsaid, self._unsaid = self._unsaid, []
        self._screen.draw(
            unsaid,
            f"{self._title}  {duration(timedelta(seconds=int(self._clock() - self._began)))}",
            self._phases(),
            self._progress,
        )


class _Screen:
    """The only part that knows rich."""

    def __init__(self, stream: TextIO) -> None:
        # 60 ms of import that only a terminal, and only a run that lasts, shall pay.
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._live.start()

    def draw(
        self, unsaid: Sequence[tuple[str, str]], title: str, phases: Mapping[TaskPhase, int], progress: Progress
    ) -> None:
        from rich.console import Group
        from rich.text import Text

        for text, state in unsaid:
            self._console.print(Text(text, style=_STYLES.get(state, "")))
        total = sum(phases.values())
        ended = sum(phases.get(phase, 0) for phase in ENDED)
        width = min(_WIDEST_BAR, self._console.width - 2)
        done = width * ended // max(1, total)
        bar = Text("━" * done, style="green").append("━" * (width - done), style="bright_black")
        words = Text(no_wrap=True, overflow="ellipsis")
        for number, (phase, count) in enumerate((phase, count) for phase, count in phases.items() if count):
            words.append(", " if number else "")
            words.append(f"{count:,} {phase}", style=_STYLES.get(phase, ""))
        head = Text(f"{title}  {ended:,}/{total:,}", style="bold", no_wrap=True, overflow="ellipsis")
        self._live.update(Group(head, bar, words, *self._running(progress)), refresh=True)

    def _running(self, progress: Progress) -> list[Text]:
        from rich.text import Text

        room = max(0, min(_MOST_RUNNING, self._console.height - 6))
        now = datetime.now(UTC)
        lines = [
            Text(f"  {duration(_whole(now - since)):>12}  {task}", no_wrap=True, overflow="ellipsis")
            for task, since in progress.longest(room)
        ]
        more = len(progress.running) - len(lines)
        if more > 0 and lines:
            lines.append(Text(f"  {'':>12}  and {more:,} more"))
        return lines

    def close(self) -> None:
        self._live.stop()


def _whole(time_: timedelta) -> timedelta:
    return timedelta(seconds=max(0, int(time_.total_seconds())))
