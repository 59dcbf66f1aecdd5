"""How a controller and a supervisor talk: one JSON object a line, both ways, ASCII, at most `MAX_LINE` bytes.

The controller sends ``op``:

``hello``
    version, fence, cpus, memory, gpus (a list of names), slots (or null), env (the variables of a clean environment, or
    null for the supervisor's own), python, project, store, logs (folders), unattended (seconds), tied (whether this
    link ends when the controller does), environments (the folder of all environments, or null for the user's own), room
    (the folder where supervisors of several runs agree on who uses how much of the computer; absent when they need
    not).
``blob``
    sha256, and text or base64: a script or a pickle that orders mean by its digest. Sent before the first of them.
``go``
    id, and one of argv, script (a digest), call (``{function, arguments, pickle (a digest), python (its version)}``),
    build (an environment: name, digest, image, before, after, conda_file (each name and text, or null), apt, conda,
    pip, constraints, julia (rows of line and place), channels, julia_files (rows of name and text), python,
    own_python). All else only where it
    differs from these: env {}, private {}, inputs [] (rows of path, sha256, size, mode, kind, source), outputs [],
    secrets [] (rows of path, base64), cpus 1, memory 0, gpus 0, timeout null, grace 5, keep false, warn false (whether
    its processes get SIGTERM when the machine is about to be taken away). Repeating it starts nothing anew; when it is
    over, its end is told again.
``cancel``
    ids.
``release``
    ids; remove (false): forget them; with ``remove`` the folders that were kept after failures go too.
``adopt``
    ids: tell of each that it runs (started), how it ended (ended), or that it was never started (ended, with ``never``
    true). Of one that waits for room nothing is told until it starts.
``survey``
    Nothing: name all attempts and builds that you know and were not told to release, each by a ``known``, and then say
    ``surveyed``.
``beat``
    unattended: that many seconds from now on without another line, and the supervisor ends its attempts and itself.
    Answered by ``beat``, so that a link can be seen to live.
``measure``
    every: from now on until the link ends, a ``beat`` with what is used comes every so many seconds; none any more when
    that is 0.
``follow``
    from: of attempts by id, how many bytes of their stdout and stderr the controller has. From now on until the link
    ends it is sent what attempts print; logs of attempts that it releases are removed.
``discard``
    digests: objects of the store that nobody needs. Those that attempts have written which are not released are kept.
    Answered by ``discarded``.
``gpus``
    names: those that attempts may have from now on. What runs keeps what it has.
``leave``
    end yourself as soon as nothing runs. Sent by a controller that goes; the link ends when something runs that must go
    on, else when all is tidied up. over (false): the run has ended for good, so your folder goes too.

The supervisor answers with ``event``:

``hello``
    version, pid.
``refused``
    fence, reason. The link ends.
``started``
    id, at, workdir. Not sent for attempts that end within `ANNOUNCE_SECONDS`. From now on its logs are
    ``<logs>/<task>.<number>.out`` and ``.err``, and can be followed. After its end those that are not empty are there.
``ended``
    id; one of code (exit code, or the signal's number below zero), lost (a reason), cancelled (true). And where there
    is something to tell: failure (a failure class), evidence, started, ended, cpu, memory, outputs (rows of path,
    sha256, size, mode, kind), result (JSON text), workdir (where it is kept).
``log``
    id, stream (``out`` or ``err``), at (an offset in bytes), base64: a piece of what an attempt has printed. All of it
    is sent before its ``ended``. A piece may be sent again.
``beat``
    The answer to a ``beat``. While ``measure`` is on it comes by itself too, and then has attempts: rows of id, busy
    cores, bytes of memory and bytes written to disks (null where that is not known). And, where they are known: cpus
    (busy cores of the machine), memory and disk (bytes used, and all bytes).
``known``
    id, over: one of the answers to a ``survey``; whether it has ended.
``surveyed``
    All of them have been named.
``notice``
    at: when the machine will be taken away, as its own watch has heard. Told to each link.
``discarded``
    The answer to a ``discard``: what could go has gone.
``problem``
    text: a line that could not be understood.

Times are seconds since 1970 by the machine's clock. Names that are not UTF-8 travel as Python's surrogate escapes.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import json
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # there in CPython, None elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ANNOUNCE_SECONDS", "MAX_LINE", "VERSION", "LineTooLong", "Lines", "decode_lines", "encode"]

VERSION = 1
MAX_LINE = 64 << 20
ANNOUNCE_SECONDS = 0.02

# `json.dumps` makes an encoder for each message, which takes longer than the message itself.
_encoder = json.JSONEncoder(ensure_ascii=True, check_circular=False, separators=(",", ":"))
_pieces = (
    c_make_encoder(None, _encoder.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    if c_make_encoder is not None
    else None
)


class LineTooLong(Exception):
    """The other side sends what can be no message."""


def encode(message: dict[str, Any]) -> bytes:
    """Write a message as a line."""
    text = _encoder.encode(message) if _pieces is None else "".join(_pieces(message, 0))
    return (text + "\n").encode("ascii")


def decode_lines(lines: bytes) -> list[dict[str, Any]]:
    """Read whole lines.

    Raises:
        ValueError: when one of them is no JSON object.
    """
    messages = json.loads("[" + lines.decode("ascii").rstrip("\n").replace("\n", ",") + "]")
    if not all(type(message) is dict for message in messages):
        raise ValueError("a line is no JSON object")
    return list(messages)


class Lines:
    """Cuts a stream into whole lines."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def take(self, content: bytes) -> bytes:
        """Give the whole lines that are there now, and keep the rest.

        Raises:
            LineTooLong: when no line end comes.
        """
        content = self._rest + content if self._rest else content
        end = content.rfind(b"\n") + 1
        self._rest = content[end:]
        if len(self._rest) > MAX_LINE:
            raise LineTooLong("a line of more than %d bytes" % MAX_LINE)
        return content[:end]
