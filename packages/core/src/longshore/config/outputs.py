"""Which outputs each task has: those that were declared, or, of a task that declares none, those that others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longshore.config.globs import is_glob, may_meet
from longshore.config.links import ALL
from longshore.config.problems import Key, Problems
from longshore.config.sketch import Draft
from longshore.config.variables import variables_in
from longshore.model.task import FileInput

__all__ = ["check_outputs", "check_wanted", "outputs_of"]


def check_outputs(draft: Draft, problems: Problems) -> None:
    """Refuse declared outputs that get in each other's way, or in that of inputs and secrets."""
    outputs: tuple[str, ...] = draft.words.get("outputs", ())
    key = ("tasks", draft.name, "outputs")
    for number, output in enumerate(outputs):
        double = next((other for other in outputs[:number] if _overlap(other, output)), None)
        if double is not None:
            problems.add(key, f"{output!r} is part of {double!r}", "name each output once")
        used = sorted(variables_in(output) & draft.parameters)
        if used:
            problems.add(
                key,
                f"{output!r} holds the parameter ${used[0]}, which only the shell knows",
                "use a fixed name, or a glob such as *: each task has a folder of its own",
            )
    inputs = {item.path for item in draft.inputs if isinstance(item, FileInput)}
    for output in outputs:
        if output.rstrip("/") in inputs:
            problems.add(
                key,
                f"{output!r} is an input too",
                "give the output another name; inputs are copies, and the original is never changed",
            )
    for secret in draft.words.get("secrets", {}):
        if any(may_meet(output, secret) for output in outputs):
            problems.add(
                ("tasks", draft.name, "secrets", secret),
                "an output would take the secret along",
                "give one of them another name",
            )


def check_wanted(name: str, outputs: Sequence[str], wanted: Mapping[str, Key], problems: Problems) -> None:
    """Refuse references to what a task does not declare."""
    for path, key in wanted.items():
        if path != ALL and not any(may_meet(output, path) for output in outputs):
            remedy = f"read one of: {', '.join(outputs)}; or add it to the outputs of {name!r}"
            problems.add(key, f"{name!r} has no output {path!r}", remedy, misspelt=path, among=outputs)


def outputs_of(draft: Draft, wanted: Mapping[str, Key], problems: Problems) -> tuple[str, ...]:
    """Say what a task must write, given what others read of it."""
    outputs: tuple[str, ...] = draft.words.get("outputs", ())
    if outputs:
        check_wanted(draft.name, outputs, wanted, problems)
        return outputs
    if ALL in wanted:
        problems.add(
            wanted[ALL],
            f"all outputs of {draft.name!r} are meant, and it declares none",
            f'write them down, as in outputs = ["..."] in tasks.{draft.name}, or read a file by its name',
        )
    implied = sorted(wanted.keys() - {ALL})
    folders = [path for path in implied if path.endswith("/")]
    return tuple(path for path in implied if not any(_is_part(path, folder) for folder in folders))


def _overlap(one: str, other: str) -> bool:
    if is_glob(one) or is_glob(other):
        return one == other
    return may_meet(one, other)


def _is_part(path: str, folder: str) -> bool:
    return path != folder and f"{path}/".startswith(folder)
