"""Files there and back over a login: by digest, verified at both ends, taken up again where they broke off."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from longshore.errors import ExecutorError, LongshoreError
from longshore.plugin import Shell
from longshore.remote.bundle import build_bundle
from longshore.remote.packing import Broken
from longshore.remote.transfers import Transfers

__all__ = ["BASE", "ShellStream", "asked", "feed_bytes", "open_transfers"]

BASE = ".cache/longshore"
"""Below the home there: where Longshore keeps what it may lose."""
_MOST_SAID = 64 << 20
_MOST_COMPLAINT = 4096


class ShellStream:
    """A program on a machine as a stream of bytes: what is sent is its standard input."""

    def __init__(self, shell: Shell, words: Sequence[str]) -> None:
        self._feed, self._sending = os.pipe()
        self._heard, self._hearing = os.pipe()
        self._thread = threading.Thread(target=self._execute, args=(shell, words), daemon=True)
        self._thread.start()

    def _execute(self, shell: Shell, words: Sequence[str]) -> None:
        def tell(stream: int, content: bytes) -> None:
            if stream == 1:
                _write(self._hearing, content)

        with suppress(LongshoreError, OSError):  # either way the stream has ended, and whoever reads sees that
            shell.execute(words, feed=self._feed, tell=tell)
        for descriptor in (self._hearing, self._feed):
            os.close(descriptor)

    def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        try:
            _write(self._sending, content)
        except OSError as error:
            raise Broken("the program there has ended") from error

    def receive(self, size: int) -> bytes:
        """Wait for at most so many bytes; nothing at the end."""
        return os.read(self._heard, size)

    def close(self) -> None:
        """End it. Harmless when it has ended."""
        if self._sending < 0:
            return
        os.close(self._sending)
        self._sending = -1
        while os.read(self._heard, 1 << 16):
            pass
        os.close(self._heard)
        self._thread.join()


def _write(descriptor: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def open_transfers(shell: Shell, name: str, store: Path) -> Iterator[tuple[Transfers, str]]:
    """Move objects between the project's store here and a store on the machine, in a folder that is made for it.

    Gives that folder, too; its store is ``store`` in it. It goes when all went well, and else stays, so that what is
    there already need not travel again. ``name`` tells it from others.
    """
    make = 'cd; mkdir -p -m 700 "$0" && cd "$0" && pwd && cat > bundle.new && mv bundle.new bundle'
    with feed_bytes(build_bundle()) as feed:
        told = asked(shell, ["sh", "-c", make, f"{BASE}/runs/{name}.away"], feed=feed)
    place = told.decode().strip()
    words = ["python3", "-I", "-S", "-X", "utf8", f"{place}/bundle", "exchange", f"{place}/store"]
    transfers = Transfers(lambda: ShellStream(shell, words), store)
    try:
        yield transfers, place
    finally:
        transfers.close()
    shell.execute(["rm", "-rf", place], feed=None, tell=lambda *_: None)


@contextmanager
def feed_bytes(content: bytes) -> Iterator[int]:
    """Give a descriptor from which these bytes can be read."""
    feed, sending = os.pipe()
    thread = threading.Thread(target=_feed, args=(sending, content), daemon=True)
    thread.start()
    try:
        yield feed
    finally:
        os.close(feed)
        thread.join()


def _feed(descriptor: int, content: bytes) -> None:
    with suppress(OSError):  # nobody reads it any more; why is told by the program
        _write(descriptor, content)
    os.close(descriptor)


def asked(
    shell: Shell, words: Sequence[str], *, feed: int | None = None, show: Callable[[bytes], Any] | None = None
) -> bytes:
    """Execute a command there, and give what it writes.

    Raises:
        ExecutorError: when it fails; with what it complained of.
        MachineUnreachable: when the link breaks.
    """
    said, complaint = bytearray(), bytearray()

    def tell(stream: int, content: bytes) -> None:
        kept, most = (said, _MOST_SAID) if stream == 1 else (complaint, _MOST_COMPLAINT)
        kept.extend(content[: most - len(kept)])
        if stream == 2 and show is not None:
            show(content)

    code = shell.execute(words, feed=feed, tell=tell)
    if code:
        why = complaint.decode("utf-8", "replace").strip() or f"exit code {code}"
        raise ExecutorError(why)
    return bytes(said)
