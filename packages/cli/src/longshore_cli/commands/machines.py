"""``longshore machines``: list, rent, stop, start and end machines, by the same words on every cloud; work on them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.completing import machines as machine_names
from longshore_cli.completing import pools, providers, reachable
from longshore_cli.invocation import Invocation
from longshore_cli.parameters import DURATION, MONEY

if TYPE_CHECKING:
    from longshore.model.quantity import Money

__all__ = ["command", "provider_option"]

provider_option = click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NAME",
    shell_complete=providers,
    help="Ask this provider only; repeatable. Else all that are configured, leased from or installed.",
)
_pool_option = click.option(
    "--pool", default="", metavar="POOL", shell_complete=pools, help="All of ours of this pool of the project."
)
_foreign_option = click.option(
    "--foreign", is_flag=True, help="Also when it is of another ledger: a second computer, a colleague, a CI job."
)
_names_argument = click.argument("names", metavar="[MACHINE]...", nargs=-1, shell_complete=machine_names)


class _Machines(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "machines",
    cls=_Machines,
    invoke_without_command=True,
    examples="""
    longshore machines
    longshore machines up cloud --count 2 --name fit
    longshore machines down fit-1
    """,
)
@json_option
def command(invocation: Invocation) -> int:
    """List, rent, stop, start and end machines, by the same words on every cloud.

    Without a word behind it, it lists them.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    from longshore_cli.fleet import show_list

    return show_list(invocation, None, providers=(), name="", pool="", resources=False)


@subcommand(
    "list",
    examples="""
    longshore machines list
    longshore machines list --provider aws --all-resources
    longshore machines list --json | jq -r '.machines[] | select(.whose == "foreign") | .id'
    """,
)
@click.option("--name", default="", metavar="LABEL", help="Only the machine of this name.")
@provider_option
@click.option("--pool", default="", metavar="POOL", shell_complete=pools, help="Only machines of this pool.")
@click.option("--all-resources", is_flag=True, help="Also what is no machine: networks, groups, disks, keys, images.")
@folder_option
@json_option
def _list(
    invocation: Invocation, name: str, providers: tuple[str, ...], pool: str, all_resources: bool, folder: Path | None
) -> int:
    """List your machines, as the clouds show them now.

    Of all projects, runs and computers of the same owner. The state says "foreign" where another computer's ledger has
    it, and "stray" where nothing has. Exit code 1 when a provider could not be asked.

    The JSON document is {"machines": [{"name", "id", "provider", "account", "region", "zone", "type", "spot", "state",
    "whose", "address", "born", "age_seconds", "price": {"per_hour", "currency", "source", "at"}, "ends_at", "run",
    "project", "pool", "lease", "phase"}], "resources": [{"id", "kind", "provider", "region", "project", "whose"}],
    "unlisted": [{"lease", "name", "provider", "phase", "machine", "ends_at"}], "unasked": [{"provider", "expected",
    "error"}]}, with "resources" only if they were asked for.
    """
    from longshore_cli.fleet import show_list

    return show_list(invocation, folder, providers=providers, name=name, pool=pool, resources=all_resources)


@subcommand(
    "up",
    examples="""
    longshore machines up cloud
    longshore machines up cloud --count 3 --name fit --for '2 h'
    longshore machines up cloud --max-cost '1 USD' --json
    """,
)
@click.argument("pool", shell_complete=pools)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="So many, all or none.")
@click.option("--name", default="", metavar="LABEL", help="Name it so; several are LABEL-1, LABEL-2 and so on.")
@click.option("--for", "lifetime", type=DURATION, help="They end so long from now; else the pool's lifetime.")
@click.option("--max-cost", type=MONEY, help="All of them may cost so much until their end; else the pool's max_cost.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@folder_option
@json_option
def _up(
    invocation: Invocation,
    pool: str,
    count: int,
    name: str,
    lifetime: timedelta | None,
    max_cost: Money | None,
    yes: bool,
    folder: Path | None,
) -> int:
    """Rent machines of a pool, and wait until they run.

    They belong to no run, and runs of the project may use them. They end at their end time, whatever happens. Whoever
    asks for several gets all of them or none. Without --yes and a max_cost it asks first, with an estimate. Exit code 1
    when they could not be had; what was begun is ended then.

    The JSON document is {"machines": [...]}, with machines as `longshore machines list` has them.
    """
    from longshore_cli.fleet import rent

    return rent(invocation, folder, pool, count=count, name=name, lifetime=lifetime, max_cost=max_cost, asking=not yes)


def _verb(verb: str, help_text: str, examples: str) -> Any:
    """Make the command of a verb that changes the machines that are named."""

    @subcommand(verb, examples=examples, help=help_text)
    @_names_argument
    @provider_option
    @_pool_option
    @_foreign_option
    @folder_option
    @json_option
    def run(
        invocation: Invocation,
        names: tuple[str, ...],
        providers: tuple[str, ...],
        pool: str,
        foreign: bool,
        folder: Path | None,
    ) -> int:
        if not names and not pool:
            raise click.UsageError("name machines, or a pool by --pool", click.get_current_context())
        from longshore_cli.fleet import change

        return change(invocation, folder, verb, names, providers=providers, pool=pool, foreign=foreign)

    return run


_JSON_HELP = """\
A MACHINE is an id, PROVIDER/ID, or a name. One that fits nothing, or several, changes none. Exit code 1 when one could
not be changed.

The JSON document is {"done": [{"provider", "what", "error"}]}."""

_down = _verb(
    "down",
    f"""End the machines that are named, and nothing else.

They cost nothing from then on; that they are gone is proven by the next `longshore gc` or run. {_JSON_HELP}""",
    """
    longshore machines down fit-1 fit-2
    longshore machines down aws/i-0abc12345
    longshore machines down --pool cloud
    """,
)
_stop = _verb(
    "stop",
    f"""Power the machines off that are named.

What is on their disks stays, and costs; they still end at their end time. {_JSON_HELP}""",
    """
    longshore machines stop fit-1
    longshore machines stop --pool cloud
    """,
)
_start = _verb(
    "start",
    f"""Power the machines on that are named.

Their addresses may be others than before. {_JSON_HELP}""",
    """
    longshore machines start fit-1
    longshore machines start --pool cloud
    """,
)

_NAME_HELP = """\
NAME is a host as a pool names it, POOL/HOST, or a rented machine by its name or id."""
_name_argument = click.argument("name", shell_complete=reachable)


@subcommand(
    "exec",
    context_settings={"allow_interspersed_args": False},
    help=f"""Execute one command on a machine now, and show what it writes.

    Nothing of it is a run: it takes no part of the machine, and nothing is kept. It begins in the home there, without a
    shell (`sh -c '...'` is one), and reads what this command reads. The exit code is the command's own.

    {_NAME_HELP}""",
    examples="""
    longshore machines exec h1 -- uptime
    longshore machines exec lab/h1 -- sh -c 'df -h; free -m'
    longshore machines exec fit-1 -- cat results.csv > results.csv
    """,
)
@folder_option
@_name_argument
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def _exec(invocation: Invocation, folder: Path | None, name: str, words: tuple[str, ...]) -> int:
    words = words[1:] if words[0] == "--" else words
    if not words:
        raise click.UsageError("say which command, behind --", click.get_current_context())
    from longshore_cli.by_hand import execute

    return execute(invocation, folder, name, words)


@subcommand(
    "ssh",
    help=f"""Open a shell on a machine, in this terminal.

    {_NAME_HELP}""",
    examples="""
    longshore machines ssh h1
    """,
)
@folder_option
@_name_argument
def _ssh(invocation: Invocation, folder: Path | None, name: str) -> int:
    from longshore_cli.by_hand import interact

    return interact(invocation, folder, name)


@subcommand(
    "put",
    help=f"""Bring files and folders to a machine.

    REMOTE is a folder there, or a new name for one file or folder; below the home if it does not begin with /. Files
    are replaced, and folders are not.

    {_NAME_HELP}""",
    examples="""
    longshore machines put h1 data.csv input/ work/
    longshore machines put fit-1 model-3.bin model.bin
    """,
)
@folder_option
@_name_argument
@click.argument("paths", metavar="LOCAL... REMOTE", nargs=-1, required=True)
def _put(invocation: Invocation, folder: Path | None, name: str, paths: tuple[str, ...]) -> int:
    if len(paths) == 1:
        raise click.UsageError("say what to bring, and where", click.get_current_context())
    from longshore_cli.by_hand import put

    return put(invocation, folder, name, [Path(path) for path in paths[:-1]], paths[-1])


@subcommand(
    "get",
    help=f"""Bring files and folders from a machine.

    LOCAL is a folder here, or a new name for one file or folder. Files are replaced, and folders are not.

    {_NAME_HELP}""",
    examples="""
    longshore machines get h1 work/results .
    longshore machines get fit-1 model.bin model-3.bin
    """,
)
@folder_option
@_name_argument
@click.argument("paths", metavar="REMOTE... LOCAL", nargs=-1, required=True)
def _get(invocation: Invocation, folder: Path | None, name: str, paths: tuple[str, ...]) -> int:
    if len(paths) == 1:
        raise click.UsageError("say what to bring, and where", click.get_current_context())
    from longshore_cli.by_hand import get

    return get(invocation, folder, name, paths[:-1], Path(paths[-1]))


assert isinstance(command, click.Group)
for _each in (_list, _up, _down, _stop, _start, _ssh, _exec, _put, _get):
    command.add_command(_each)
