"""What is scheduled: a command of ours, in a folder, at given times; and how it is kept with the timer that does it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from longshore.errors import UsageError
from longshore_cli.scheduling.when import When, parse_when

__all__ = ["KEPT", "Entry", "Timers", "command_line"]

KEPT = ("PATH", "PYTHONPATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
"""Variables that say where programs, settings and the ledger are: timers start with nearly none. No secret is kept."""


@frozen(kw_only=True)
class Entry:
    """One schedule."""

    name: str
    when: When
    words: tuple[str, ...]
    """What stands behind ``longshore`` on its command line."""
    folder: Path
    environment: Mapping[str, str] = field(factory=dict[str, str])

    def check(self) -> None:
        """See whether it can be written into a file of lines.

        Raises:
            UsageError: when something in it would end a line.
        """
        for text in (*self.words, str(self.folder), *self.environment.values()):
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
                raise UsageError(f"{text!r} has a control character, which no timer's file can hold")
        if str(self.folder) != str(self.folder).strip() or str(self.folder).endswith("\\"):
            raise UsageError(f"a timer cannot work in {str(self.folder)!r}; rename the folder")

    def to_json(self) -> str:
        """Write it in one line of ASCII."""
        return json.dumps(
            {"name": self.name, "when": self.when.text, "words": self.words, "folder": os.fspath(self.folder)}
        )

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """Read what `to_json` wrote; the environment is not in it.

        Raises:
            ValueError: when it is something else.
        """
        try:
            body = json.loads(text)
            return cls(
                name=str(body["name"]),
                when=parse_when(str(body["when"])),
                words=tuple(str(word) for word in body["words"]),
                folder=Path(str(body["folder"])),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{text!r} is no schedule") from error


class Timers(Protocol):
    """Where schedules are kept and started."""

    name: str

    def add(self, entry: Entry) -> None:
        """Begin one, in the place of one of ours with its name.

        Raises:
            UsageError: when the system refuses, or somebody else has the name.
        """
        ...

    def entries(self) -> list[Entry]:
        """List ours."""
        ...

    def remove(self, name: str) -> None:
        """End exactly this one of ours.

        Raises:
            UsageError: when the system refuses.
        """
        ...


def command_line(entry: Entry) -> tuple[str, ...]:
    """Give what is to be executed, beginning with the Python that runs now."""
    return (sys.executable, "-m", "longshore_cli", *entry.words)
