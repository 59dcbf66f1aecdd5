r"""The messages of `longshore.remote.protocol` to a shim: as words, since a shell cannot read JSON.

A message is a row of words with a blank between them. In a word each byte that is not a visible ASCII character, and
the backslash, is written as ``\0`` and three octal digits, which every shell's ``printf %b`` understands; no byte at
all is written as ``\e``. A message is cut into pieces of at most `PIECE_BYTES`, one a line: a line that begins with
``+`` is continued by the next one, and one that begins with ``=`` is the end of a message. So each line fits into what
a pipe takes whole, whoever else writes to it.

The words of a message are its name and then:

``open``
    version, fence, seconds unattended: the first thing on a link, before ``hello``.
``hello``
    thousandths of cores, bytes of memory, slots or ``-``, store; then ``x`` when the environment begins empty,
    ``e<NAME=VALUE>`` for its variables, ``g<name>`` for GPUs.
``blob``
    sha256, base64.
``go``
    id, thousandths of cores, bytes, GPUs, seconds of timeout or ``-``, seconds of grace, ``keep`` or ``-``; then
    ``i<sha256>,<size>,<octal mode>,<kind>,<path>`` for inputs, ``k<base64>,<path>`` for secrets, ``o<pattern>`` for
    outputs, ``w`` to be asked to end before the machine is taken away, ``n`` for the variables that name the
    attempt, ``e<NAME=VALUE>`` for others, and last either ``s<sha256>`` of a script or ``a<argument>`` for each
    argument.
``cancel``, ``adopt``
    ids.
``release``
    0, or 1 to remove folders too; ids.
``follow``
    id, bytes of stdout, bytes of stderr, and so on.
``beat``
    seconds.
``measure``
    seconds.
``survey``
    nothing.
``discard``
    digests.
``gpus``
    names.
``leave``
    0, or 1 when the run has ended for good.

What a shim answers are that protocol's lines of JSON.
"""

from __future__ import annotations

import base64
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["PIECE_BYTES", "encode", "word"]

PIECE_BYTES = 900

_SPECIAL = re.compile(rb"[^!-\[\]-~]")
_ESCAPES = {bytes([code]): b"\\0%03o" % code for code in range(256)}

_Message = Mapping[str, Any]


def word(text: str, tag: str = "") -> bytes:
    """Write a word; ``tag`` says what it is, where that is not said by its place."""
    raw = os.fsencode(text)
    return tag.encode() + (_SPECIAL.sub(lambda found: _ESCAPES[found[0]], raw) or b"\\e")


def encode(message: _Message) -> bytes:
    """Write a message as lines.

    Raises:
        ValueError: when it means something that a shim cannot do.
    """
    lines = _WRITERS[message["op"]](message)
    return b"".join(piece for line in lines for piece in _pieces(b" ".join(line)))


def _pieces(line: bytes) -> Iterator[bytes]:
    last = max(0, len(line) - 1) // PIECE_BYTES
    for index in range(last + 1):
        yield b"%s%s\n" % (b"=" if index == last else b"+", line[index * PIECE_BYTES : (index + 1) * PIECE_BYTES])


def _number(value: float) -> bytes:
    return b"%d" % math.floor(value + 0.5)


def _seconds(value: float) -> bytes:
    return ("%g" % value if value < 1e5 else str(math.ceil(value))).encode()


def _hello(message: _Message) -> Iterator[list[bytes]]:
    unattended = b"%d" % max(1, math.ceil(message["unattended"]))
    yield [b"open", _number(message["version"]), _number(message["fence"]), unattended]
    slots = b"-" if message["slots"] is None else _number(message["slots"])
    line = [b"hello", _number(message["cpus"] * 1000), _number(message["memory"]), slots, word(message["store"])]
    if message["env"] is not None:
        line += [b"x", *_variables(message["env"])]
    if message.get("beat_file"):
        line.append(word(message["beat_file"], "b"))
    yield [*line, *(word(name, "g") for name in message["gpus"])]


def _variables(env: Mapping[str, str]) -> Iterator[bytes]:
    return (word(f"{name}={value}", "e") for name, value in env.items())


def _go(message: _Message) -> Iterator[list[bytes]]:
    timeout = message.get("timeout")
    line = [
        b"go",
        word(message["id"]),
        _number(message.get("cpus", 1.0) * 1000),
        _number(message.get("memory", 0)),
        _number(message.get("gpus", 0)),
        b"-" if timeout is None else _seconds(timeout),
        _seconds(message.get("grace", 5.0)),
        b"keep" if message.get("keep") else b"-",
    ]
    for path, sha256, size, mode, kind, _source in message.get("inputs", ()):
        line.append(word(path, f"i{sha256},{size},{mode:o},{kind},"))
    line += [word(path, f"k{content},") for path, content in message.get("secrets", ())]
    line += [word(pattern, "o") for pattern in message.get("outputs", ())]
    if message.get("warn"):
        line.append(b"w")
    env = {**message.get("env", {}), **message.get("private", {})}
    names = _names(message["id"])
    if names.items() <= env.items():
        line.append(b"n")
        env = {name: value for name, value in env.items() if name not in names}
    line += _variables(env)
    if "script" in message:
        line.append(word(message["script"], "s"))
    elif "argv" in message:
        line += [word(argument, "a") for argument in message["argv"]]
    else:
        raise ValueError("a machine without Python cannot make calls")
    yield line


def _names(attempt: str) -> Mapping[str, str]:
    """Give the variables that say again what an attempt's id says: a shell reads each byte by itself."""
    return dict(zip(("LONGSHORE_RUN", "LONGSHORE_TASK", "LONGSHORE_ATTEMPT"), attempt.split("/"), strict=True))


def _blob(message: _Message) -> Iterator[list[bytes]]:
    text = message.get("text")
    content = message["base64"] if text is None else base64.b64encode(os.fsencode(text)).decode()
    yield [b"blob", word(message["sha256"]), content.encode()]


def _ids(message: _Message) -> Iterator[list[bytes]]:
    yield [message["op"].encode(), *map(word, message["ids"])]


def _release(message: _Message) -> Iterator[list[bytes]]:
    yield [b"release", _number(bool(message.get("remove"))), *map(word, message["ids"])]


def _follow(message: _Message) -> Iterator[list[bytes]]:
    known = message["from"].items()
    yield [b"follow", *(part for identity, sizes in known for part in (word(identity), *map(_number, sizes)))]


def _beat(message: _Message) -> Iterator[list[bytes]]:
    yield [b"beat", b"%d" % max(1, math.ceil(message["unattended"]))]


def _measure(message: _Message) -> Iterator[list[bytes]]:
    yield [b"measure", _seconds(message["every"])]


def _discard(message: _Message) -> Iterator[list[bytes]]:
    yield [b"discard", *map(word, message["digests"])]


def _survey(_message: _Message) -> Iterator[list[bytes]]:
    yield [b"survey"]


def _gpus(message: _Message) -> Iterator[list[bytes]]:
    yield [b"gpus", *map(word, message["names"])]


def _leave(message: _Message) -> Iterator[list[bytes]]:
    yield [b"leave", _number(bool(message.get("over")))]


_WRITERS: Mapping[str, Callable[[_Message], Iterator[list[bytes]]]] = {
    "hello": _hello,
    "go": _go,
    "blob": _blob,
    "cancel": _ids,
    "adopt": _ids,
    "release": _release,
    "follow": _follow,
    "beat": _beat,
    "discard": _discard,
    "measure": _measure,
    "survey": _survey,
    "gpus": _gpus,
    "leave": _leave,
}
