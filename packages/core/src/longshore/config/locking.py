"""Environments as they were built: what was asked for, in the exact versions that a lock names. Pure."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve

from longshore.model.environment import EnvironmentSpec, Requirement, Script
from longshore.model.environment_events import EnvironmentBuilt

__all__ = ["exactly"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SEPARATORS = re.compile(r"[-_.]+")
_EDITABLE = ("-e", "--editable")
_MADE_WITH = frozenset({"pip", "setuptools", "wheel"})
"""What makes an environment, and is no part of it unless it was asked for."""


def exactly(asked: EnvironmentSpec, built: EnvironmentBuilt) -> EnvironmentSpec:
    """Ask for what an environment became where it was built: for these versions, and no others.

    Scripts stay as they are, and so does whatever has no lock. An image without a digest was only ever on the machine
    where it was made.
    """
    locks = dict(built.locks)
    changes: dict[str, Any] = {}
    if "image.txt" in locks:
        changes["image"] = locks["image.txt"].strip()
    if locks.get("apt.txt"):
        changes["apt"] = _lines(locks["apt.txt"], f"{asked.name}.apt.txt")
    if "conda.txt" in locks:
        lock = Script(name=f"{asked.name}.conda.txt", text=locks["conda.txt"])
        changes |= {"conda": (), "channels": (), "conda_file": lock}
    if built.lock:
        changes |= {"pip": _pip(asked, built.lock), "constraints": ()}
    if asked.has_python and built.python and not asked.has_conda and not asked.image:
        changes["python"] = built.python.rpartition(".")[0]
    files = [Script(name=name, text=locks[name]) for name in ("Project.toml", "Manifest.toml") if name in locks]
    if files:
        changes |= {"julia": (), "julia_files": tuple(files)}
    return evolve(asked, **changes)


def _lines(lock: str, place: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(line, f"{place} line {number}") for number, line in enumerate(lock.splitlines(), start=1))


def _pip(asked: EnvironmentSpec, lock: str) -> tuple[Requirement, ...]:
    """Put versions in the place of requirements; pip's options stay."""
    if any("--hash=" in each.text for each in asked.pip):
        return asked.pip  # with digests pip takes nothing but what is named exactly
    options = [each for each in asked.pip if each.text.startswith("-") and not each.text.startswith(_EDITABLE)]
    wanted = {_normal(each.text) for each in asked.pip}
    lines = _lines(lock, f"{asked.name}.txt")
    kept = [each for each in lines if (name := _normal(each.text)) not in _MADE_WITH or name in wanted]
    return (*options, *kept)


def _normal(requirement: str) -> str:
    found = _NAME.match(requirement)
    return _SEPARATORS.sub("-", found[0]).lower() if found else ""
