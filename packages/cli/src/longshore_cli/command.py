"""What all subcommands share: the options for how much is said, and help that ends in examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["Command", "command", "folder_option", "json_option", "run_option"]

_Function = Callable[..., Any]


class Command(click.Command):
    """A subcommand: its help shows examples as they are, and it sets up the log before it does anything."""

    def __init__(self, *args: Any, examples: str = "", of_run: bool = False, **kwargs: Any) -> None:
        """Make one; ``of_run`` says that it is about a run, and to be answered where the run's controller is."""
        super().__init__(*args, **kwargs)
        self._of_run = of_run
        self.examples = [line.strip() for line in examples.strip().splitlines()]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, unwrapped: they are there to be copied."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"  {line}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Call the subcommand."""
        invocation = ctx.ensure_object(Invocation)
        _log_as_asked(invocation)
        if self._of_run:
            from longshore_cli.away.forwarding import forwarded

            answered = forwarded(ctx, invocation)
            if answered is not None:
                return answered
        return super().invoke(ctx)


def command(
    name: str, *, examples: str, cls: type[Command] = Command, **settings: Any
) -> Callable[[_Function], click.Command]:
    """Make a function a subcommand, with the options that all have; ``cls`` and its settings are for one with parts.

    It is called with the `Invocation` first, and gives the exit code, or None for 0.
    """
    with_invocation = click.make_pass_decorator(Invocation, ensure=True)

    def decorate(function: _Function) -> click.Command:
        made = click.command(name, cls=cls, examples=examples, **settings)(with_invocation(function))
        # Behind the subcommand's own: they are what a reader of the help looks for last.
        made.params += _shared_options()
        return made

    return decorate


def _keep_verbosity(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    invocation = ctx.ensure_object(Invocation)
    if count:
        if invocation.verbosity:
            raise click.UsageError("-q and -v contradict each other; give one of them", ctx)
        invocation.verbosity = -1 if parameter.name == "quiet" else count


def _keep_log_file(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    ctx.ensure_object(Invocation).log_file = path


def _keep_json(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    # Set before parsing too, from the bare arguments, so that a mistake in them is answered in JSON.
    ctx.ensure_object(Invocation).json |= wanted


def _shared_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_keep_verbosity,
            help="Say more; -vv shows everything.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_keep_verbosity,
            help="Say only what was asked for, and failures.",
        ),
        click.Option(
            ["--log-file"],
            type=click.Path(dir_okay=False, writable=True, path_type=Path),
            expose_value=False,
            callback=_keep_log_file,
            help="Write everything to this file as well.",
        ),
    ]


json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_keep_json,
    help="Print exactly one JSON document on stdout.",
)


folder_option = click.option(
    "-C",
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The project's folder; else the nearest one, from here upwards, with runs or a longshore.toml.",
)
run_option = click.option(
    "--run",
    "run",
    metavar="RUN",
    shell_complete=runs,
    help="Which run, by the beginning of its id; else the latest.",
)


def _log_as_asked(invocation: Invocation) -> None:
    """Send log records of the library to stderr and to the log file; without a flag only warnings are shown.

    With a flag, those of plugins, too. Without one Python itself shows their warnings, and nobody looks for plugins.
    """
    import logging

    level = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(invocation.verbosity, logging.DEBUG)
    to_stderr = _handler_for_stderr()
    to_stderr.setLevel(level)
    to_stderr.setFormatter(logging.Formatter("longshore: %(message)s"))
    handlers: list[logging.Handler] = [to_stderr]
    if invocation.log_file is not None:
        to_file = logging.FileHandler(invocation.log_file, encoding="utf-8", errors="backslashreplace")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(to_file)
        level = logging.DEBUG
    for name in {"longshore", *(_modules_of_plugins() if invocation.verbosity or invocation.log_file else ())}:
        logger = logging.getLogger(name)
        logger.handlers = handlers
        logger.setLevel(level)
        logger.propagate = False


def _modules_of_plugins() -> Iterator[str]:
    """Name the packages of all plugins that are installed; none is imported."""
    from importlib.metadata import entry_points

    return (entry.module.partition(".")[0] for entry in entry_points(group="longshore"))


def _handler_for_stderr() -> Any:
    import logging
    import sys

    class ToStderr(logging.Handler):
        """Writes to what stderr is at the moment: a live view puts itself in its place for a while."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                sys.stderr.write(f"{self.format(record)}\n")
                sys.stderr.flush()
            except OSError:
                return  # nobody reads it any more, and there is nowhere else to say so

    return ToStderr()
