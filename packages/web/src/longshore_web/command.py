"""``longshore web``: show runs in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "web",
    examples="""
    longshore web
    longshore web --port 8088
    longshore web -C ~/projects/pv
    """,
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Which port; else any that is free.")
@folder_option
def command(invocation: Invocation, port: int, folder: Path | None) -> int:
    """Show the runs of this project in a browser, as they go on.

    Serves this computer only, until Ctrl-C. The printed address has a token in it, and lets whoever opens it see, begin
    and end runs as you can; the token is kept, readable by you alone, in longshore/web-token of $XDG_STATE_HOME
    (~/.local/state). Remove that file, and there is a new one the next time.

    From another computer: ssh -L 8088:127.0.0.1:8088 HOST, with --port 8088 here.
    """
    from longshore_cli.output import answer, say
    from longshore_cli.places import find_project
    from longshore_web.serving import ADDRESS, serve
    from longshore_web.token import token_kept, token_path

    token = token_kept(token_path(os.environ))

    def begun(taken: int) -> None:
        if not invocation.quiet:
            say("Serving until Ctrl-C. Whoever has this address can do what you can; keep it to yourself:")
        answer(f"http://{ADDRESS}:{taken}/enter?token={token.text}")

    serve(find_project(folder), token, port, begun)
    return 0
