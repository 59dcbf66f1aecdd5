"""Tags on clouds that allow few characters in them: any text there and back, in small letters, digits, ``-``, ``_``."""

from __future__ import annotations

import re
import string

__all__ = ["as_label", "of_label"]

_PLAIN = frozenset((string.ascii_lowercase + string.digits + "-").encode())
_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_LABEL = re.compile(r"(?:[a-z0-9-]|_[0-9a-f]{2})*")


def as_label(text: str) -> str:
    """Write a text; different texts give different labels, whether a cloud minds capitals or not."""
    return "".join(chr(each) if each in _PLAIN else f"_{each:02x}" for each in text.encode())


def of_label(label: str) -> str | None:
    """Read what `as_label` has written; None for what it has not."""
    if not _LABEL.fullmatch(label):
        return None
    pieces = _ESCAPED.split(label)
    raw = b"".join(bytes([int(each, 16)]) if place % 2 else each.encode() for place, each in enumerate(pieces))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if as_label(text) == label else None
