"""A pod as the user has written it, under the fields that are ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from longshore.errors import ExecutorError
from longshore_k8s.errors import plain_text

__all__ = ["merged", "read_template"]

_MOST_BYTES = 1 << 20
_KEYS = ("name", "mountPath", "containerPort")
"""By which the elements of lists are told apart, where they can be."""


def read_template(path: Path) -> Mapping[str, Any]:
    """Read a pod from YAML.

    Raises:
        ExecutorError: when the file is not there, or no pod.
    """
    try:
        text = path.read_bytes()[: _MOST_BYTES + 1]
        found = yaml.safe_load(text) if len(text) <= _MOST_BYTES else None
    except OSError as error:
        raise ExecutorError(f"pod_template {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ExecutorError(f"pod_template {path} is no YAML: {plain_text(str(error))}") from error
    if not isinstance(found, dict) or found.get("kind", "Pod") != "Pod":
        raise ExecutorError(f"pod_template {path} describes no pod: it has kind, metadata and spec of one")
    return found


def merged(ours: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """Put a template under what is ours: what only one of them says is taken, elements of lists by their names.

    Raises:
        ExecutorError: when the template says something else than we do; names all such places.
    """
    conflicts: list[str] = []
    whole = _merge(ours, template, "", conflicts)
    if conflicts:
        raise ExecutorError(
            "pod_template says something else than the pool's other options do, or than must be: "
            f"{', '.join(conflicts)}; take that out of it"
        )
    assert isinstance(whole, dict)
    return whole


def _merge(ours: object, theirs: object, place: str, conflicts: list[str]) -> object:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        both: dict[str, Any] = {**theirs, **ours}
        for key in ours.keys() & theirs.keys():
            both[key] = _merge(ours[key], theirs[key], f"{place}.{key}" if place else str(key), conflicts)
        return both
    if isinstance(ours, list) and isinstance(theirs, list):
        return _merge_lists(ours, theirs, place, conflicts)
    if ours != theirs:
        conflicts.append(place)
    return ours


def _merge_lists(ours: list[Any], theirs: list[Any], place: str, conflicts: list[str]) -> list[Any]:
    if not any(isinstance(each, Mapping) for each in (*ours, *theirs)):
        if place.rpartition(".")[2] in {"command", "args"} and ours != theirs:
            conflicts.append(place)
        return [*ours, *(each for each in theirs if each not in ours)]
    rest = list(theirs)
    whole: list[Any] = []
    for each in ours:
        same = next((other for other in rest if _name(each) and _name(other) == _name(each)), None)
        if same is None:
            whole.append(each)
        else:
            rest.remove(same)
            whole.append(_merge(each, same, f"{place}[{_name(each)}]", conflicts))
    return [*whole, *(each for each in rest if each not in whole)]


def _name(element: object) -> str:
    if not isinstance(element, Mapping):
        return ""
    return next((str(element[key]) for key in _KEYS if key in element), "")
