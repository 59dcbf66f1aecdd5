"""Paths and globs below one folder, by their text alone: whether one covers the other.

``*`` and ``?`` stop at slashes; ``**`` as a segment stands for any number of folders. A path that ends in a slash means
all that is below it.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

__all__ = ["is_glob", "matches", "may_meet"]

_GLOB = re.compile(r"[*?\[]")


def is_glob(path: str) -> bool:
    """Say whether a path has characters that stand for others."""
    return _GLOB.search(path) is not None


def matches(pattern: str, path: str) -> bool:
    """Say whether a glob means this path."""
    segments, names = pattern.split("/"), path.split("/")
    if "**" in segments:
        return _globs_meet(segments, names)
    return len(segments) == len(names) and all(map(fnmatchcase, names, segments))


def may_meet(one: str, other: str) -> bool:
    """Say whether there can be a file that both mean. A folder means itself and all that is below it."""
    if is_glob(one) and is_glob(other):
        return _globs_meet(one.rstrip("/").split("/"), other.rstrip("/").split("/"))
    if is_glob(other):
        one, other = other, one
    path = other.rstrip("/")
    if not is_glob(one):
        folder = one.rstrip("/")
        return path == folder or path.startswith(f"{folder}/") or folder.startswith(f"{path}/")
    parts = path.split("/")
    above = any(matches(one.rstrip("/"), "/".join(parts[:count])) for count in range(1, len(parts) + 1))
    return above or _globs_meet([*parts, "**"], one.split("/"))


def _globs_meet(one: list[str], other: list[str]) -> bool:
    """Walk both patterns segment by segment; two globs of one segment are taken to meet when their plain ends agree."""
    states = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while states:
        here, there = states.pop()
        if (here, there) in seen:
            continue
        seen.add((here, there))
        if here == len(one) and there == len(other):
            return True
        left = one[here] if here < len(one) else None
        right = other[there] if there < len(other) else None
        if left == "**":
            states.add((here + 1, there))
            if right is not None:
                states.add((here, there + 1))
        if right == "**":
            states.add((here, there + 1))
            if left is not None:
                states.add((here + 1, there))
        if left is not None and right is not None and "**" not in (left, right) and _segments_meet(left, right):
            states.add((here + 1, there + 1))
    return False


def _segments_meet(one: str, other: str) -> bool:
    if not is_glob(one):
        return matches(other, one)
    if not is_glob(other):
        return matches(one, other)
    starts = [_GLOB.split(segment, maxsplit=1)[0] for segment in (one, other)]
    ends = [re.split(r"[*?\]]", segment)[-1] for segment in (one, other)]
    return _agree(*starts) and _agree(*(end[::-1] for end in ends))


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
