"""Asking the program ``exchange`` of a machine, over a stream that is opened when needed and may break."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from longshore.errors import DigestMismatch, DiskFull, MachineUnreachable, StagingError
from longshore.remote.packing import Broken, Reader, Writer

__all__ = ["Asking", "DataStream"]

_log = logging.getLogger(__name__)

_TRIES = 4
"""So often in a row a transfer may break off without a whole object having come through in between."""

_Result = TypeVar("_Result")


class DataStream(Protocol):
    """A stream of bytes to the program ``exchange`` on a machine. All methods raise `Broken` when it has ended."""

    def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        ...

    def receive(self, size: int) -> bytes:
        """Wait for at most so many bytes; nothing at the end."""
        ...

    def close(self) -> None:
        """End it. Harmless when it has ended."""
        ...


class Asking:
    """A stream to the program, made again when it breaks."""

    def __init__(self, open_stream: Callable[[], DataStream]) -> None:
        """Prepare; ``open_stream`` waits for as long as the link may be down, then raises MachineUnreachable."""
        self._open_stream = open_stream
        self._stream: DataStream | None = None
        self._reader = Reader(lambda _size: b"")
        self._writer = Writer(lambda _content: None)
        self._progress = 0
        self._closed = False

    def close(self) -> None:
        """End the stream, for good: what is being asked for in another thread is not asked for again."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _repeat(self, work: Callable[[], _Result]) -> _Result:
        """Do something again when the stream breaks; what has come through whole does not travel again."""
        failures = 0
        while True:
            before = self._progress
            try:
                if self._stream is None:
                    self._stream = self._open_stream()
                    if self._closed:
                        raise MachineUnreachable("the link was closed")
                    self._reader = Reader(self._stream.receive)
                    self._writer = Writer(self._stream.send)
                return work()
            except Broken as error:
                self._drop()
                failures = 1 if self._progress > before else failures + 1
                if failures == _TRIES:
                    raise MachineUnreachable(f"a transfer broke off {_TRIES} times: {error}") from error
                _log.info("a transfer is taken up again: %s", error)
            except BaseException:
                self._drop()  # what is under way in it is of no use
                raise

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self._writer.line(message)
        self._writer.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        told = self._reader.line()
        if told is None:
            raise Broken("the machine's end has ended")
        if "problem" in told:
            raise _translated(told)
        return told


def _translated(told: Mapping[str, Any]) -> StagingError:
    text = f"the machine's store: {told['problem']}"
    kinds: Mapping[str, type[StagingError]] = {"full": DiskFull, "damaged": DigestMismatch}
    return kinds.get(str(told.get("kind")), StagingError)(text)
