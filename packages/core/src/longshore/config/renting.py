"""What a project and its user say of machines: pools and providers, without a look at any task.

Machines are listed and ended by hand also where there is no workflow, or one with mistakes in its tasks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from longshore.config.fields import text
from longshore.config.files import DEFAULT_FILE, read_raw, read_user_raw
from longshore.config.problems import Places, Problems
from longshore.config.sketch import Sketch, read_tables
from longshore.model.names import check_name
from longshore.model.workflow import PoolSpec

__all__ = ["Renting", "read_renting"]


@frozen(kw_only=True)
class Renting:
    """The pools and providers that are known in a folder: the project's, and those of all the user's projects."""

    folder: Path
    project: str = ""
    """The tag on all that is rented; the workflow's name by default, and empty where there is no workflow file."""
    pools: Mapping[str, PoolSpec] = field(factory=dict[str, PoolSpec])
    providers: Mapping[str, Mapping[str, Any]] = field(factory=dict[str, Mapping[str, Any]], repr=False)
    places: Mapping[str, str] = field(factory=dict[str, str])
    """Where each provider's table stands; absent for those that a pool names and nobody describes."""


def read_renting(folder: Path) -> Renting:
    """Read the ``longshore.toml`` of a folder, if there is one, and the user's own file; the project's wins.

    Raises:
        ConfigError: with every mistake in the name, the pools and the providers of both.
    """
    problems = Problems(lambda _: "")
    sketch, places, project = Sketch(), dict[str, str](), ""
    file = folder / DEFAULT_FILE
    if file.is_file():
        raw, problems.places = read_raw(file)
        project = _project(raw, problems)
        _add(raw, sketch, problems, places)
    raw, problems.places = read_user_raw(os.environ)
    _add(raw, sketch, problems, places)
    problems.check()
    named = {pool.provider: dict[str, Any]() for pool in sketch.pools.values() if pool.provider is not None}
    return Renting(
        folder=folder,
        project=project,
        pools=sketch.pools,
        providers={**named, **sketch.providers},
        places=places,
    )


def _project(raw: Mapping[str, Any], problems: Problems) -> str:
    key = "project" if "project" in raw else "name"
    try:
        return check_name(text(raw.get(key, "")), "workflow name") if key == "name" else text(raw[key])
    except ValueError as error:
        problems.take((key,), error)
        return ""


def _add(raw: Mapping[str, Any], sketch: Sketch, problems: Problems, places: dict[str, str]) -> None:
    known = set(sketch.providers)
    read_tables(raw, sketch, problems)
    where: Places = problems.places
    places.update({name: where(("providers", name)) for name in sketch.providers if name not in known})
