"""Objects that go from a store because nobody needs them, and those that stay all the same.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

from longshore.remote.digest import NotStorable, parse_listing
from longshore.remote.protocol import decode_lines
from longshore.remote.store import object_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["discard"]


def discard(store: str, digests: Collection[str], ends: Iterable[bytes]) -> None:
    """Remove objects from a store. Silent for those that are not there.

    Args:
        store: the store.
        digests: what nobody needs, as far as the controller knows.
        ends: the lines that tell how attempts ended which are not released: what these have written stays.
    """
    kept = _written(store, ends)
    for sha256 in digests:
        if sha256 not in kept and sha256.isalnum():
            try:
                os.unlink(object_path(store, sha256))
            except OSError:
                continue


def _written(store: str, ends: Iterable[bytes]) -> set[str]:
    """Name the objects that attempts have written, those in folders too."""
    found = set()
    for line in ends:
        if b'"outputs":' not in line:
            continue
        for _, sha256, _, _, kind in decode_lines(line)[0].get("outputs", ()):
            found.add(sha256)
            if kind == "folder":
                found.update(_within(object_path(store, sha256)))
    return found


def _within(listing: str) -> list[str]:
    try:
        with open(listing, "rb") as file:
            return [entry.sha256 for entry in parse_listing(file.read()) if entry.kind == "f"]
    except (OSError, NotStorable):
        return []
