"""What an import gives: a workflow as its file has it, files that go with it, and what was not carried over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from longshore.config.toml_text import workflow_text
from longshore.errors import ConfigError, Problem

__all__ = ["Imported", "Remarks", "as_list", "free_name", "read_text", "safe_name"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 80
_MOST_BYTES = 8 << 20


@define
class Remarks:
    """What somebody should know of an import, in its order."""

    said: list[str] = field(factory=list[str])

    def say(self, remark: str) -> None:
        """Add a remark, once."""
        if remark not in self.said:
            self.said.append(remark)


@frozen(kw_only=True)
class Imported:
    """A workflow that was made of something else."""

    raw: Mapping[str, Any]
    """As `longshore.config.toml_text.workflow_text` takes it."""
    remarks: tuple[str, ...]
    """What was not carried over, and what to do about it."""
    origin: str
    files: Mapping[str, str] = field(factory=dict[str, str])
    """Texts by their paths beside the workflow file."""

    @property
    def text(self) -> str:
        """The workflow file."""
        head = f"Imported from {self.origin}. `longshore plan` says what it would do."
        return workflow_text(self.raw, [head, *(f"- {remark}" for remark in self.remarks)])


def read_text(path: Path) -> str:
    """Read a file to be imported.

    Raises:
        ConfigError: when it cannot be read, is no UTF-8 text, or is too large for what it should be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError("it has more than 8 MiB")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = Problem(place=str(path), key="", message=f"this cannot be read: {reason}", remedy="name another file")
        raise ConfigError([problem]) from error


def safe_name(text: str, default: str) -> str:
    """Make a name of ours of a text."""
    return _UNSAFE.sub("-", text).strip("-.")[:_LONGEST_NAME] or default


def free_name(text: str, taken: Mapping[str, object], default: str) -> str:
    """Make a name of ours that is not taken."""
    plain = safe_name(text, default)
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def as_list(value: object) -> list[str]:
    """Give the texts of a list, or of one text; nothing else."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []
