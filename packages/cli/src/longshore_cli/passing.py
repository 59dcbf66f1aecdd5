"""Passing on what a program elsewhere writes."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from longshore_cli.text import Cleaner

__all__ = ["Shown"]


class Shown:
    """Writes what a machine says to a stream: byte by byte as it is, without what would steer a terminal on one."""

    def __init__(self, stream: int) -> None:
        """Take the descriptor of a stream."""
        self._file = open(stream, "wb", buffering=0, closefd=False)  # noqa: SIM115  the stream outlives it
        self._decode: Callable[..., str] = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._cleaner = Cleaner() if self._file.isatty() else None

    def write(self, data: bytes) -> None:
        """Write a piece, whole."""
        if self._cleaner is not None:
            data = self._cleaner.feed(self._decode(data)).encode()
        while data:
            data = data[self._file.write(data) or 0 :]

    def close(self) -> None:
        """Write what was kept back for what might have come after it; the stream stays open."""
        if self._cleaner is not None:
            self._file.write((self._cleaner.feed(self._decode(b"", final=True)) + self._cleaner.close()).encode())
