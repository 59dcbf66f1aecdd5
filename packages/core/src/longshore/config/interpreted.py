"""The key ``script`` of a task: a file of the project, executed by what its ending says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from longshore.config.fields import relative, text
from longshore.config.problems import wrong
from longshore.model.command import Argv, Shell
from longshore.model.task import FileInput

__all__ = ["INTERPRETERS", "ScriptWords", "script_words"]

INTERPRETERS: Mapping[str, str] = MappingProxyType(
    {".py": "python3", ".jl": "julia", ".R": "Rscript", ".r": "Rscript", ".sh": "sh"}
)
"""By ending. They are found as any program is: those of the task's environment first."""
_SPECIAL = frozenset("'\"\\$`*?[]{}~#&|;<>()!=")
"""What means something to a shell."""


class ScriptWords(NamedTuple):
    """What ``script`` stands for."""

    command: Shell | Argv
    file: FileInput


def script_words(value: object, command: Callable[[object], Shell | Argv]) -> ScriptWords:
    """Give the command that executes a script, read by ``command``, and the script's file."""
    written = text(value).strip()
    file = written.split(maxsplit=1)[0] if written else written
    try:
        path = relative(file)
    except ValueError as error:
        raise wrong(f"{file!r} is no file of the project", 'begin with one, as in "fit.py 1 10"') from error
    if _SPECIAL & set(path):
        raise wrong(f"{file!r} has signs in it that a shell would read", "give the file a plain name")
    program = INTERPRETERS.get(PurePosixPath(path).suffix)
    if program is None:
        remedy = f'give it one of the endings {", ".join(INTERPRETERS)}, or write command = "PROGRAM {written}"'
        raise wrong(f"nobody knows what executes {file!r}", remedy)
    return ScriptWords(command(f"{program} {written}"), FileInput(path))
