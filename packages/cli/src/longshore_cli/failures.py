"""What is said, and the exit code, when something goes wrong. Never a traceback, unless -vv asks for it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from longshore.errors import ConfigError, LongshoreError, Problem
from longshore.folders import state_folder
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.text import clean, counted

__all__ = ["report", "show_problems"]

_USAGE = 2
"""Nothing ran: the command line, the workflow file or the place was wrong."""
_FAILED = 1
_OUR_FAULT = 70
"""EX_SOFTWARE of sysexits.h."""


def report(error: Exception, invocation: Invocation) -> int:
    """Tell what went wrong, in words and as JSON when that was asked for; give the exit code."""
    code = _FAILED if invocation.began else _USAGE
    problems: tuple[Problem, ...] = ()
    match error:
        case click.ClickException():
            words = _of_click(error)
        case ConfigError(problems=problems):
            words = show_problems(problems)
        case LongshoreError():
            words = clean(str(error))
        case OSError():
            words = _of_system(error)
        case _:
            code = _OUR_FAULT
            words = _of_us(error, invocation)
    say("\n".join([f"longshore: {words}", *getattr(error, "__notes__", ())]))
    if invocation.verbosity > 1:
        say("".join(traceback.format_exception(error)))
    if invocation.json:
        document = {"kind": type(error).__name__, "message": clean(str(error)) or words}
        answer_json({"error": {**document, "problems": [_as_json(problem) for problem in problems]}})
    return code


def show_problems(problems: tuple[Problem, ...]) -> str:
    """List mistakes one below the other, each with its place, its key, and what mends it."""
    blocks = [f"{counted(len(problems), 'mistake')} in what you wrote; nothing ran."]
    for problem in problems:
        where = "  ".join(part for part in (problem.place, problem.key) if part)
        lines = [f"  {where}"] if where else []
        lines += [f"    {line}" for line in clean(problem.message).splitlines()]
        lines += [f"    -> {line}" for line in clean(problem.remedy).splitlines()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _as_json(problem: Problem) -> dict[str, str]:
    return {"place": problem.place, "key": problem.key, "message": problem.message, "remedy": problem.remedy}


def _of_click(error: click.ClickException) -> str:
    words = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return words
    return f"{words}\n{context.get_usage()}\n`{context.command_path} --help` says more."


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    name = clean(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else ""
    return f"{name}: {reason}" if name else reason


def _of_us(error: Exception, invocation: Invocation) -> str:
    place = _write_details(error, invocation)
    words = f"something went wrong inside longshore: {type(error).__name__}: {clean(str(error))}"
    return f"{words}\nThe details are in {place}; please report them."


def _write_details(error: Exception, invocation: Invocation) -> Path:
    """Write a traceback and what was typed where a later report finds them."""
    folder = state_folder(os.environ) / "errors"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix="error-", suffix=".log", dir=folder)
    except OSError:
        handle, name = tempfile.mkstemp(prefix="longshore-error-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"arguments: {invocation.arguments}\npython: {sys.version}\nplatform: {sys.platform}\n\n")
        file.write("".join(traceback.format_exception(error)))
    return Path(name)
