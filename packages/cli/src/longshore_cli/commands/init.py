"""``longshore init``: a workflow file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation
from longshore_cli.output import can_ask, say

__all__ = ["command"]


@subcommand(
    "init",
    examples="""
    longshore init
    longshore init --guided analysis
    longshore init --task fit --command 'python fit.py $file > fit.json' --for-each 'file=data/*.csv' --output fit.json
    """,
)
@click.argument("folder", required=False, default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--guided", is_flag=True, help="Ask for everything that no option answers.")
@click.option("--name", help="Name of the workflow; else that of the folder.")
@click.option("--task", help="Name of its first task.")
@click.option("--command", "line", help="What the task executes.")
@click.option("--input", "inputs", multiple=True, metavar="FILE", help="A file that it reads; repeatable.")
@click.option("--output", "outputs", multiple=True, metavar="FILE", help="A file that it writes; repeatable.")
@click.option(
    "--for-each",
    metavar="NAME=VALUES",
    help="Once for each of a,b,c or 1..9 or data/*.csv or the lines of @file.",
)
@click.option("--cpus", type=float, help="How many cpus it needs.")
@click.option("--memory", metavar="SIZE", help="How much memory it needs, as in 4 GiB.")
@click.option("--attempts", type=click.IntRange(min=1), metavar="N", help="How often it is tried, at most.")
@click.option("--timeout", metavar="TIME", help="After how long it is ended, as in '2 h'.")
def command(
    invocation: Invocation,
    folder: Path,
    guided: bool,
    name: str | None,
    line: str | None,
    task: str | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    for_each: str | None,
    cpus: float | None,
    memory: str | None,
    attempts: int | None,
    timeout: str | None,
) -> None:
    """Write a commented longshore.toml to start from.

    It goes to FOLDER, by default this one. Without options it is an example that runs. With --command, or --guided, it
    has one task of yours. An existing file is never overwritten.
    """
    from longshore_cli.beginning import Answers, ask, compose, example, write

    answers = Answers(
        name=name,
        task=task,
        command=line,
        inputs=inputs,
        outputs=outputs,
        for_each=for_each,
        cpus=cpus,
        memory=memory,
        attempts=attempts,
        timeout=timeout,
    )
    if guided and not can_ask():
        raise click.UsageError("there is no terminal to ask on; answer by --name, --task, --command and the others")
    if guided:
        answers = ask(answers, folder)
    file = write(folder, compose(answers, folder) if guided or answers.says_more else example(answers, folder))
    if not invocation.quiet:
        say(f"Wrote {file}. `longshore plan` says what would run, `longshore run` runs it.")
