"""What changes among the pods of a namespace, as the cluster tells it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import urllib3

from longshore_k8s.errors import translated

__all__ = ["Watch"]

_MOST_SECONDS = 290.0
_BROKEN = (OSError, ValueError, AttributeError, urllib3.exceptions.HTTPError)


class Watch:
    """One after the other as many requests as it takes; each goes on where the one before it has ended."""

    def __init__(self, begin: Callable[[str, float], urllib3.HTTPResponse], version: str) -> None:
        """Prepare; ``begin`` asks for what changes after a version, for so many seconds."""
        self._begin = begin
        self._version = version
        self._answer: urllib3.HTTPResponse | None = None
        self._stopped = threading.Event()

    def changes(self, seconds: float) -> Generator[tuple[str, dict[str, Any]], None, None]:
        """Give kind (``ADDED``, ``MODIFIED``, ``DELETED``) and object of each, until the time is over. To be closed.

        It ends before that when the cluster has forgotten what came after the version: then all is to be listed again.

        Raises:
            MachineUnreachable: when a request breaks off.
            ExecutorError: when we may not.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopped.is_set():
            self._answer = self._begin(self._version, min(left, _MOST_SECONDS))
            try:
                for line in _lines(self._answer):
                    told = json.loads(line)
                    if told["type"] == "ERROR":
                        return
                    self._version = told["object"]["metadata"]["resourceVersion"]
                    if told["type"] != "BOOKMARK":
                        yield told["type"], told["object"]
            finally:
                self._answer.release_conn()
                self._answer.close()

    def stop(self) -> None:
        """End it, from any thread."""
        self._stopped.set()
        answer = self._answer
        if answer is not None:
            with suppress(*_BROKEN):  # it may have ended by itself
                answer.shutdown()


def _lines(answer: urllib3.HTTPResponse) -> Iterator[bytes]:
    """Split what arrives into lines; a line that was cut is not given."""
    rest = b""
    with translated("watching"):
        for piece in answer.stream(amt=None, decode_content=False):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())
