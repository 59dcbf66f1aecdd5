"""Tags as AWS writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["as_filter", "as_list", "as_mapping"]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as requests have them, in one order: equal tags give equal requests."""
    return [{"Key": str(key), "Value": value} for key, value in sorted(tags.items())]


def as_mapping(rows: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Read tags as answers have them; none when there are none."""
    return {row["Key"]: row["Value"] for row in rows or ()}


def as_filter(value: str) -> str:
    """Write a value so that a filter takes it literally: ``*`` and ``?`` would stand for others."""
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
