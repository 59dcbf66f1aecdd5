"""What `init` writes: the example, or a first task of the user's own."""

from __future__ import annotations

import re
from pathlib import Path

import click
from attrs import evolve, frozen

from longshore.config.load import load
from longshore.config.template import template
from longshore.config.toml_text import key_of, value_of
from longshore.errors import ConfigError
from longshore_cli.places import WORKFLOW_FILE

__all__ = ["Answers", "ask", "compose", "example", "write"]

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


@frozen(kw_only=True)
class Answers:
    """What is known of the first task; None, or nothing, where nothing was said."""

    name: str | None = None
    task: str | None = None
    command: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    for_each: str | None = None
    cpus: float | None = None
    memory: str | None = None
    attempts: int | None = None
    timeout: str | None = None

    @property
    def says_more(self) -> bool:
        """Whether anything but the workflow's name is said, so that the example will not do."""
        return evolve(self, name=None) != Answers()


def _default_name(folder: Path) -> str:
    """Make a workflow's name of a folder's."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().resolve().name).strip("-.") or "workflow"


def ask(answers: Answers, folder: Path) -> Answers:
    """Ask on the terminal for what is not answered, with a default each time."""

    def text(known: str | None, question: str, default: str = "") -> str | None:
        if known is not None:
            return known
        return str(click.prompt(question, default=default, err=True, show_default=bool(default))).strip() or None

    def words(known: tuple[str, ...], question: str) -> tuple[str, ...]:
        return known or tuple((text(None, question) or "").split())

    name = text(answers.name, "Name of the workflow", _default_name(folder))
    task = text(answers.task, "Name of its first task", "work")
    command = text(answers.command, "Its command", "echo hello > hello.txt")
    default_output = "hello.txt" if command == "echo hello > hello.txt" else ""
    return Answers(
        name=name,
        task=task,
        command=command,
        inputs=words(answers.inputs, "Files that it reads, with spaces between them (those in the command are found)"),
        outputs=answers.outputs
        or tuple((text(None, "Files that it writes, with spaces between them", default_output) or "").split()),
        for_each=text(answers.for_each, "Once for each of (as in year=2001..2005 or file=data/*.csv; empty: once)"),
        cpus=_number(text(_shown(answers.cpus), "How many cpus it needs", "1"), "cpus"),
        memory=text(answers.memory, "How much memory it needs (as in 4 GiB; empty: any)"),
        attempts=_whole(text(_shown(answers.attempts), "How often to try it, at most", "1")),
        timeout=text(answers.timeout, "After how long to end it (as in 2 h; empty: never)"),
    )


def _shown(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _number(text: str | None, what: str) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no number of {what}") from None


def _whole(text: str | None) -> int | None:
    number = _number(text, "attempts")
    return None if number is None else int(number)


def example(answers: Answers, folder: Path) -> str:
    """Give the example that runs as it is.

    Raises:
        click.UsageError: when the name is no good.
    """
    try:
        return template(answers.name or _default_name(folder))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def compose(answers: Answers, folder: Path) -> str:
    """Write a workflow with the task that was described, with comments on how to go on."""
    if answers.command is None:
        raise click.UsageError("say what the task executes: --command '...'")
    task = answers.task or "work"
    key = key_of(task)
    lines = [
        "# `longshore plan` says what would run, `longshore run` runs it. Paths begin in the folder of this file.",
        f"name = {value_of(answers.name or _default_name(folder))}",
        "",
        f"[tasks.{key}]",
    ]
    if answers.for_each is not None:
        lines += [
            "# One task for each value, which the command sees as a variable of this name.",
            _for_each(answers.for_each),
        ]
    lines.append(f"command = {value_of(answers.command)}")
    if answers.inputs:
        lines.append(f"inputs = {value_of(answers.inputs)}")
    if answers.outputs:
        lines.append(f"outputs = {value_of(answers.outputs)}")
    needs = [f"cpus = {answers.cpus:g}"] if answers.cpus not in {None, 1} else []
    needs += [f"memory = {value_of(answers.memory)}"] if answers.memory else []
    if needs:
        lines.append(f"needs = {{ {', '.join(needs)} }}")
    if answers.attempts is not None and answers.attempts > 1:
        lines.append(f"retry = {{ attempts = {answers.attempts} }}")
    if answers.timeout:
        lines.append(f"timeout = {value_of(answers.timeout)}")
    reads = f"workflow:///{task}/{'*/' if answers.for_each else ''}{answers.outputs[0] if answers.outputs else 'FILE'}"
    lines += [
        "",
        "# Another task reads what this one wrote by naming it, and waits for it because of that:",
        "# [tasks.next]",
        f"# command = {value_of(f'cat {reads} > all.txt')}",
        '# outputs = ["all.txt"]',
    ]
    return "\n".join(lines) + "\n"


def _for_each(text: str) -> str:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not name or not values:
        raise click.UsageError(f"--for-each {text!r}: write it as in year=2001..2005, file=data/*.csv or name=a,b,c")
    bounds = _RANGE.fullmatch(values)
    if bounds:
        source = f"{{ range = [{bounds[1]}, {bounds[2]}] }}"
    elif values.startswith("@"):
        source = f"{{ lines_of = {value_of(values[1:])} }}"
    elif any(char in values for char in "*?["):
        source = f"{{ glob = {value_of(values)} }}"
    else:
        source = value_of(tuple(value.strip() for value in values.split(",")))
    return f"for_each.{key_of(name)} = {source}"


def write(folder: Path, text: str) -> Path:
    """Write the workflow file, if it is a good one; give its path.

    Raises:
        ConfigError: when what was answered makes no workflow; nothing is left behind.
        click.UsageError: when there is a workflow file already.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / WORKFLOW_FILE
    try:
        with file.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        raise click.UsageError(f"{file} exists already and was left as it is") from None
    try:
        load(file)
    except ConfigError:
        file.unlink()
        if made:
            folder.rmdir()
        raise
    return file
