"""Serving until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence

import uvicorn

from longshore.errors import UsageError
from longshore.runtime.project import Project
from longshore_web.app import LOCAL_HOSTS, make_app
from longshore_web.notices import Notices
from longshore_web.site import Site
from longshore_web.token import Token

__all__ = ["ADDRESS", "serve"]

ADDRESS = "127.0.0.1"
_GOODBYE_SECONDS = 2


class _Server(uvicorn.Server):
    """Sleeps until it is told to end, instead of looking ten times a second whether it is."""

    def __init__(self, config: uvicorn.Config, notices: Notices, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._notices = notices
        self._begun = begun

    async def main_loop(self) -> None:
        """Wait for a signal."""
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        self._begun()
        await over.wait()
        self.should_exit = True
        self._notices.close()


def listen(port: int, address: str = ADDRESS) -> socket.socket:
    """Take a port of one of this computer's addresses.

    Raises:
        UsageError: when it is taken, or the address is not of this computer.
    """
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((address, port))
    except OSError as error:
        server.close()
        where = "" if address == ADDRESS else f" of {address}"
        raise UsageError(f"port {port}{where} cannot be used: {error.strerror}; name another one by --port") from error
    return server


def serve(
    project: Project,
    token: Token,
    port: int,
    begun: Callable[[int], None],
    *,
    address: str = ADDRESS,
    names: Sequence[str] = (),
) -> None:
    """Serve a project's pages until SIGINT or SIGTERM.

    Args:
        project: whose runs.
        token: lets in.
        port: of this computer; 0 for any that is free.
        begun: is told the port as soon as pages are answered.
        address: one of this computer's; by default only it can ask itself.
        names: by which browsers may ask for it, besides those that every computer has for itself.

    Raises:
        UsageError: when the port is taken.
    """
    with listen(port, address) as server:
        taken = server.getsockname()[1]
        hosts = (*LOCAL_HOSTS, *(name.lower() for name in names))
        asyncio.run(_serving(project, token, server, hosts, lambda: begun(taken)))


async def _serving(
    project: Project, token: Token, server: socket.socket, hosts: Sequence[str], begun: Callable[[], None]
) -> None:
    notices = Notices()
    config = uvicorn.Config(
        make_app(Site(project, token, notices), hosts),
        log_config=None,  # no line of it may have a token in it, which the address for entering has
        access_log=False,
        server_header=False,
        date_header=False,  # it would have to be renewed each second
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    await _Server(config, notices, begun).serve(sockets=[server])
