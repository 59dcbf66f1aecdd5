"""``longshore web``: show runs in a browser."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no address; write it as in 127.0.0.1 or 0.0.0.0") from error


@subcommand(
    "web",
    examples="""
    longshore web
    longshore web --port 8088
    longshore web -C ~/projects/pv
    longshore web --bind 0.0.0.0 --port 8088 --name runs.example.org
    """,
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Which port; else any that is free.")
@click.option(
    "--bind",
    metavar="ADDRESS",
    default="127.0.0.1",
    callback=_address,
    help="Which address of this computer; else only it can ask itself.",
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help="A name or an address by which browsers ask for it, besides localhost and 127.0.0.1; repeatable.",
)
@folder_option
def command(invocation: Invocation, port: int, bind: str, names: tuple[str, ...], folder: Path | None) -> int:
    """Show the runs of this project in a browser, as they go on.

    Serves this computer only, until Ctrl-C. The printed address has a token in it, and lets whoever opens it see, begin
    and end runs as you can; the token is kept, readable by you alone, in longshore/web-token of $XDG_STATE_HOME
    (~/.local/state). Remove that file, and there is a new one the next time.

    From another computer: ssh -L 8088:127.0.0.1:8088 HOST, with --port 8088 here. In a container, and behind a proxy
    that brings TLS: --bind and --name. What is asked by any other name is refused, and the token is in the clear on the
    way to the proxy: let that way be short.
    """
    from longshore_cli.output import answer, say
    from longshore_cli.places import find_project
    from longshore_web.serving import ADDRESS, serve
    from longshore_web.token import token_kept, token_path

    token = token_kept(token_path(os.environ))
    address = ipaddress.ip_address(bind)
    shown = ADDRESS if address.is_unspecified else f"[{bind}]" if address.version == 6 else bind

    def begun(taken: int) -> None:
        if not invocation.quiet:
            say("Serving until Ctrl-C. Whoever has this address can do what you can; keep it to yourself:")
        answer(f"http://{shown}:{taken}/enter?token={token.text}")

    serve(find_project(folder), token, port, begun, address=bind, names=(bind, *names))
    return 0
