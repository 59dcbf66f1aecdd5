"""Texts that name something elsewhere: ``workflow://...`` and the URLs of store plugins."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["SCHEME", "Link", "LinkedSource", "host_of", "is_link", "is_url", "path_of"]

SCHEME = "workflow://"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Link(NamedTuple):
    """``workflow://<workflow>/<task>/...`` as it was written; nobody has looked yet whether there is such a task."""

    url: str


class LinkedSource(NamedTuple):
    """Values of a parameter that an earlier task's output gives: its lines, or the files that match a glob."""

    url: str
    lines: bool
    first: int | None = None


def is_link(text: str) -> bool:
    """Say whether a text names another task's output."""
    return text.startswith(SCHEME)


def is_url(text: str) -> bool:
    """Say whether a text is a URL of any kind."""
    return _URL.match(text) is not None


def host_of(url: str) -> str:
    """Give the part of a URL up to the slash before its path: the scheme, and the bucket or host."""
    return "/".join(url.split("/", 3)[:3])


def path_of(url: str) -> str:
    """Give what follows in a URL after the bucket or host; empty for nothing."""
    return url[len(host_of(url)) + 1 :]
