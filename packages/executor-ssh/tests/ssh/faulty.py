"""A server of SSH in this process that keeps the protocol as badly as a test wants; commands are executed here."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from longshore_ssh.testing import SECONDS, Lab

__all__ = ["FaultyServer"]


class FaultyServer:
    """A host that is no sshd. It has no subsystems; in particular no sftp."""

    def __init__(self, lab: Lab, home: Path, **options: Any) -> None:
        """Listen on this computer. ``options`` are those of `asyncssh.listen`."""
        self.home = home
        self.home.mkdir()
        self.refusing = False
        """Whether commands are refused from now on."""
        self.mute = False
        """Whether commands are taken, and nothing is ever said of them."""
        self.commands = 0
        self._channels: set[asyncssh.SSHServerProcess[bytes]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(self._listen(lab, options))
        self.port = self._server.get_port()

    def close_channels(self) -> None:
        """Close all channels in the middle of what they carry; their connections stay."""

        def close() -> None:
            for process in list(self._channels):
                process.channel.close()

        self._loop.call_soon_threadsafe(close)

    def close(self) -> None:
        """Hang up, and listen no more."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _listen(self, lab: Lab, options: dict[str, Any]) -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            authorized_client_keys=f"{lab.key}.pub",
            process_factory=self._serve,
            encoding=None,
            allow_scp=False,
            **options,
        )
        public = " ".join(key.export_public_key().decode().split()[:2])
        with lab.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{server.get_port()} {public}\n")
        return server

    async def _end(self) -> None:
        self._server.close()
        for process in list(self._channels):
            process.get_extra_info("connection").abort()
        await self._server.wait_closed()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands += 1
        if self.refusing or process.command is None:
            process.stdout.write(b"This service allows sftp connections only.\n")
            process.exit(1)
            return
        self._channels.add(process)
        try:
            if self.mute:
                await process.wait_closed()
                return
            await self._execute(process, process.command)
        finally:
            self._channels.discard(process)

    async def _execute(self, process: asyncssh.SSHServerProcess[bytes], command: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            child = subprocess.Popen(
                ["sh", "-c", command],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=theirs.fileno(),
                env={"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        to_it = asyncio.create_task(_carry(process.stdin.read, writer.write, writer.drain))
        from_it = asyncio.create_task(_carry(reader.read, process.stdout.write, process.stdout.drain))
        try:
            await asyncio.wait([to_it, from_it], return_when=asyncio.FIRST_COMPLETED)
            if not process.is_closing():
                await from_it
        finally:
            to_it.cancel()
            from_it.cancel()
            writer.close()
            code = await asyncio.to_thread(child.wait, SECONDS)
        process.exit(code)


async def _carry(
    take: Callable[[int], Coroutine[Any, Any, bytes]],
    give: Callable[[bytes], object],
    settle: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    try:
        while content := await take(1 << 15):
            give(content)
            await settle()
    except (OSError, asyncssh.Error):
        return
