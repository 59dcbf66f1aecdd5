"""What is slow to ask and seldom changes (machine types, prices, hosts), kept on disk with the date of each answer."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import frozen

from longshore.folders import cache_folder
from longshore.model.times import read_time, write_time

__all__ = ["Catalogue", "Entry", "default_folder"]


@frozen(kw_only=True)
class Entry:
    """One answer, as JSON has it, and when it was given."""

    value: Any
    at: datetime


def default_folder() -> Path:
    """Say where catalogues are kept: ``$XDG_CACHE_HOME/longshore/catalogue``, else below ``~/.cache``."""
    return cache_folder(os.environ) / "catalogue"


class Catalogue:
    """A folder of answers. Processes may share it: an answer is written whole or not at all, the last one stays."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime]) -> None:
        """Take a folder, which is made when there is something to keep."""
        self._folder = folder
        self._now = now

    def get(self, question: str, ask: Callable[[], Any], *, keep: timedelta) -> Entry:
        """Give the answer to a question, asking again when there is none or it is older than ``keep``.

        What ``ask`` returns must be JSON; what it raises gets out, and nothing is kept. A file that cannot be read is
        as good as none, and one that cannot be written harms nothing: the next one asks again.
        """
        path = self._folder / f"{sha256(question.encode()).hexdigest()[:32]}.json"
        known = _read(path, question)
        now = self._now()
        if known is not None and now - keep < known.at <= now:
            return known
        entry = Entry(value=ask(), at=now)
        # A full or read-only disk costs time here, and is none of the caller's business.
        with contextlib.suppress(OSError):
            self._write(path, question, entry)
        return entry

    def _write(self, path: Path, question: str, entry: Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            text = json.dumps({"question": question, "at": write_time(entry.at), "value": entry.value})
            partial.write_text(text)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _read(path: Path, question: str) -> Entry | None:
    try:
        document = json.loads(path.read_text())
        at = read_time(document["at"])
        if document["question"] != question or at is None:
            return None
        return Entry(value=document["value"], at=at)
    except (OSError, ValueError, KeyError, TypeError):
        return None
