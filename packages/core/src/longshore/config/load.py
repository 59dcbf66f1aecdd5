"""Reading a workflow file: TOML, JSON, or Python that defines ``workflow``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from longshore.config.assemble import assemble
from longshore.config.bulk import bulk
from longshore.config.files import DEFAULT_FILE, read_raw, read_user_raw
from longshore.config.problems import Places, Problems
from longshore.config.sketch import Sketch, read_tables
from longshore.errors import ConfigError, Problem
from longshore.model.workflow import WorkflowSpec

__all__ = ["Loaded", "load", "read_user"]

_USER_KEYS = ("pools", "environments", "providers", "observers")


@frozen(kw_only=True)
class Loaded:
    """A workflow and where it came from."""

    spec: WorkflowSpec
    folder: Path
    """Where the paths in it begin, and where ``.longshore/`` and ``results/`` lie."""
    file: Path
    chosen: Mapping[str, str] = field(factory=dict[str, str])
    """The only values that are wanted of parameters of a ``for_each``."""
    warnings: tuple[str, ...] = ()
    """What is no mistake but should be known."""
    place: Places = field(repr=False, eq=False)
    """Says where a key of it was written, for what is found out later."""


def load(
    path: Path | str = DEFAULT_FILE,
    overrides: Sequence[str] = (),
    *,
    strategy: str | None = None,
    params: Sequence[str] = (),
    adding_to: WorkflowSpec | None = None,
) -> Loaded:
    """Read a workflow from a file, or from the ``longshore.toml`` of a folder.

    A ``.py`` file is executed, with its folder on the path, and must define ``workflow``. ``overrides`` are texts like
    ``tasks.fit.timeout="2 h"`` that win over the file. ``strategy`` is the name of another than the file's, whose
    options do not count then. ``params`` are texts like ``year=2001``: values of the workflow's parameters, or the only
    values that are wanted of a parameter of a ``for_each``; `longshore.scheduler.narrow` keeps those. With
    ``adding_to`` the tasks are to join that workflow's run.

    Raises:
        ConfigError: with every mistake.
    """
    file = Path(path).absolute()
    if file.is_dir():
        file /= DEFAULT_FILE
    try:
        with bulk():
            return _load(file, overrides, strategy, params, adding_to)
    except RecursionError:
        message, remedy = "tables and lists are nested too deeply", "take some levels out"
        raise ConfigError([Problem(place=file.name, key="", message=message, remedy=remedy)]) from None


def _load(
    file: Path,
    overrides: Sequence[str],
    strategy: str | None,
    params: Sequence[str],
    adding_to: WorkflowSpec | None,
) -> Loaded:
    raw, places = read_raw(file)
    problems = Problems(places)
    if overrides or strategy is not None:
        from longshore.config.overrides import override  # noqa: PLC0415 - asked for by few

        raw, problems.places = override(raw, overrides, problems, strategy=strategy)
    chosen: dict[str, str] = {}
    if params:
        raw, chosen = _with_params(raw, params, problems)
    spec = assemble(raw, read_user(problems), file.parent, problems, adding_to)
    return Loaded(
        spec=spec,
        folder=file.parent,
        file=file,
        chosen=chosen,
        warnings=_warnings(spec, file.parent),
        place=problems.places,
    )


def _with_params(
    raw: Mapping[str, Any], words: Sequence[str], problems: Problems
) -> tuple[Mapping[str, Any], dict[str, str]]:
    from longshore.config.params import chosen_params  # noqa: PLC0415 - asked for by few

    try:
        ours, only = chosen_params(raw, words)
    except ValueError as error:
        problems.take_from("the command line", error)
        return raw, {}
    return ({**raw, "params": {**raw["params"], **ours}} if ours else raw), only


def read_user(problems: Problems) -> Sketch:
    """Read what all projects of the user share, from ``~/.config/longshore/config.toml`` if there is one."""
    sketch = Sketch()
    raw, places = read_user_raw(os.environ)
    theirs = Problems(places, problems.found)
    for key in raw:
        if key not in _USER_KEYS:
            theirs.add(
                (key,),
                f"there is no key {key!r} here",
                f"use one of: {', '.join(_USER_KEYS)}",
                misspelt=key,
                among=_USER_KEYS,
            )
    read_tables(raw, sketch, theirs)
    return sketch


def _warnings(spec: WorkflowSpec, folder: Path) -> tuple[str, ...]:
    if spec.env_file is None:
        return ()
    from longshore.config.env_file import tracked_by_git  # noqa: PLC0415 - few have one

    if not tracked_by_git(folder / spec.env_file):
        return ()
    name = spec.env_file
    remedy = f"`git rm --cached {name}` and add it to .gitignore"
    return (f"git keeps {name}, so whoever has the repository has what is in it; {remedy}",)
