"""The system's own programs that keep timers, called with a deadline and without a shell."""

from __future__ import annotations

import subprocess

from attrs import frozen

from longshore.errors import UsageError

__all__ = ["Answer", "call"]

_SECONDS = 30.0


@frozen
class Answer:
    """What a program came to."""

    code: int
    out: str
    err: str


def call(program: str, *words: str, text: str = "") -> Answer:
    """Run a program and wait for it.

    Raises:
        UsageError: when it cannot be run, or does not end.
    """
    try:
        done = subprocess.run(
            [program, *words], input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{program} has not answered for {_SECONDS:.0f} s") from error
    except OSError as error:
        raise UsageError(f"{program} cannot be run: {error.strerror}") from error
    return Answer(done.returncode, done.stdout, done.stderr.strip())
