"""What a task executes: shell text, an argument list, or a Python call; only this."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import min_len

__all__ = ["Argv", "Call", "Command", "Shell"]


@frozen
class Shell:
    """Text for ``sh``. It is never pasted together: parameters reach it as environment variables."""

    text: str = field(validator=min_len(1))


@frozen
class Argv:
    """A program and its arguments, executed as they are, without a shell."""

    args: tuple[str, ...] = field(validator=min_len(1))


@frozen(kw_only=True)
class Call:
    """A Python call, made by a worker process.

    ``arguments`` is the JSON text of ``{"args": [...], "kwargs": {...}}``. In it ``{"$file": "workflow:///task/path"}``
    stands for the path of an artifact, ``{"$result": "task"}`` for what another call returned, and
    ``{"$param": "year"}`` for a parameter's value.
    """

    function: str
    """``package.module:name``; of a pickled function only a label."""
    arguments: str = '{"args": [], "kwargs": {}}'
    pickle: bytes = field(default=b"", repr=False)
    """The function itself by cloudpickle, when no module on the worker's path has it; it is opened in the worker only.
    """
    python: str = ""
    """Which Python has made the pickle, as in ``3.11``: another one cannot open it."""


Command = Shell | Argv | Call
