"""What is served: the runs of one project, each read once and then only for what has changed."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TypeVar

from attrs import frozen

from longshore.errors import LongshoreError
from longshore.runtime.history import RunInfo, RunReader
from longshore.runtime.overview import Overview, read_overview, refreshed
from longshore.runtime.past import moment_of
from longshore.runtime.project import Project
from longshore_cli.report.html import Html
from longshore_web.notices import Notices
from longshore_web.token import Token

__all__ = ["Missing", "Site"]

_MOST_KEPT = 16
"""So many runs and moments are kept in memory."""
_PART = 10

_Stamp = tuple[tuple[int, int], ...]
_K = TypeVar("_K")
_T = TypeVar("_T")


class Missing(LongshoreError):
    """There is no such page."""


class Site:
    """A project, as pages see it. For any thread."""

    def __init__(self, project: Project, token: Token, notices: Notices) -> None:
        self.project = project
        self.token = token
        self.notices = notices
        self._lock = Lock()
        self._overviews: OrderedDict[tuple[str, str], Overview] = OrderedDict()
        self._infos: dict[str, tuple[_Stamp, RunInfo]] = {}
        self._pictures: OrderedDict[tuple[str, str], _Drawn] = OrderedDict()
        self._drawing = Lock()

    def run_folder(self, run: str) -> Path:
        """Give the folder of a run.

        Raises:
            Missing: when there is none of exactly this id, so that no other name is ever a path.
        """
        if run not in self.project.run_ids():
            raise Missing(f"There is no run {run} in {self.project.folder}.")
        return self.project.run_folder(run)

    def info(self, run: str) -> RunInfo:
        """Say how a run stands; one that is over is read again only when its record has changed.

        Raises:
            JournalError: when its record cannot be read.
        """
        folder = self.project.run_folder(run)
        stamp = _stamp(folder)
        known = self._infos.get(run)
        if known is not None and known[0] == stamp and known[1].ended is not None:
            return known[1]
        info = RunReader(folder).info()
        self._infos[run] = stamp, info
        return info

    def overview(self, run: str, at: str = "") -> Overview:
        """Give a run as it stands now, or at a past moment as it was typed.

        Raises:
            Missing: when there is no such run.
            UsageError: when it did not go on at that moment.
            JournalError: when its record cannot be read.
        """
        folder = self.run_folder(run)
        with self._lock:
            known = self._overviews.get((run, at))
        if known is not None:
            found = refreshed(known)
        elif at:
            info = RunReader(folder).info()
            moment = moment_of(at, info.started, info.ended or datetime.now(UTC))
            found = read_overview(RunReader(folder, until=moment))
        else:
            found = read_overview(RunReader(folder))
        with self._lock:
            _keep(self._overviews, (run, at), found)
        return found

    def picture(self, overview: Overview, at: str, draw: Callable[[], Html]) -> Html:
        """Give a picture that is slow to draw, as it was drawn for the same events.

        While a run goes on it may be older: so much that no more than a tenth of the time goes into drawing.
        """
        key = (overview.info.id, at)
        with self._drawing:  # whoever comes meanwhile gets what is being drawn
            known = self._pictures.get(key)
            if known is not None and known.holds_for(overview):
                return known.html
            begun = monotonic()
            html = draw()
            now = monotonic()
            _keep(self._pictures, key, _Drawn(html=html, last=overview.last, until=now + (now - begun) * _PART))
            return html


@frozen(kw_only=True)
class _Drawn:
    """A picture, and for what it is good."""

    html: Html
    last: int
    until: float

    def holds_for(self, overview: Overview) -> bool:
        """Say whether nothing has happened since, or not for long in a run that goes on."""
        return self.last == overview.last or (overview.info.state == "running" and monotonic() < self.until)


def _stamp(folder: Path) -> _Stamp:
    """Say what changes with each change of a record."""
    found = []
    for name in ("run.db", "run.db-wal"):
        try:
            status = os.stat(folder / name)
        except OSError:
            found.append((0, 0))
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)


def _keep(store: OrderedDict[_K, _T], key: _K, value: _T) -> None:
    store[key] = value
    store.move_to_end(key)
    while len(store) > _MOST_KEPT:
        store.popitem(last=False)
