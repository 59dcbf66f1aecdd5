"""Values of parameters, put into the paths of inputs."""

from __future__ import annotations

from longshore.config.variables import VARIABLE
from longshore.errors import InputMissing
from longshore.model.names import clean_relative
from longshore.model.task import Task

__all__ = ["filled", "variables_of", "with_values"]


def variables_of(path: str) -> set[str]:
    """Name the variables in a path."""
    return {found[1] or found[2] for found in VARIABLE.finditer(path)} if "$" in path else set()


def filled(path: str, task: Task) -> str:
    """Put the values of parameters into a project path; a value must not lead out of the project."""
    meant = with_values(path, task)
    try:
        clean = clean_relative(meant)
    except ValueError as error:
        raise InputMissing(f"the input {path} of {task.id} is no file of the project: {error}") from error
    if clean.parts[0] == "in":
        raise InputMissing(f"the input {meant} of {task.id} lies in 'in/', where outputs of other tasks are; rename it")
    return str(clean)


def with_values(text: str, task: Task) -> str:
    """Put the values of parameters into a text; other variables stay."""
    params = dict(task.params)
    return VARIABLE.sub(lambda found: params.get(found[1] or found[2], found[0]), text) if "$" in text else text
