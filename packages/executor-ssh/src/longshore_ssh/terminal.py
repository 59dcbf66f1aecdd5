"""The terminal that somebody sits at, connected with a shell on a host."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

__all__ = ["connect_terminal"]

_PIECE_BYTES = 1 << 15
_SIZE_CHANGED, _OVER = b"s", b"o"


def connect_terminal(channel: paramiko.Channel) -> None:
    """Start a login shell on a terminal of its own there, and pass on all that is typed and shown until it ends."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    columns, lines = shutil.get_terminal_size()
    channel.get_pty(os.environ.get("TERM", "vt100"), columns, lines)
    channel.invoke_shell()
    with _bell() as (rung, ring), _raw(keyboard):
        threading.Thread(target=_show, args=(channel, screen, ring), daemon=True).start()
        watched = [keyboard, rung]
        while True:
            ready, _, _ = select.select(watched, [], [])
            rings = os.read(rung, 64) if rung in ready else b""
            if _OVER in rings:
                return
            if _SIZE_CHANGED in rings:
                channel.resize_pty(*shutil.get_terminal_size())
            if keyboard in ready:
                typed = os.read(keyboard, _PIECE_BYTES)
                if typed:
                    channel.sendall(typed)
                else:
                    watched.remove(keyboard)
                    channel.shutdown_write()


def _show(channel: paramiko.Channel, screen: int, ring: int) -> None:
    try:
        while data := channel.recv(_PIECE_BYTES):
            while data:
                data = data[os.write(screen, data) :]
    finally:
        os.write(ring, _OVER)


@contextmanager
def _bell() -> Iterator[tuple[int, int]]:
    """Give both ends of a pipe in which what happens elsewhere is noted, also that the window has another size."""
    rung, ring = os.pipe()
    # A signal may come while a message is being sent, so it is only noted here.
    before = signal.signal(signal.SIGWINCH, lambda *_: _note(ring))
    try:
        yield rung, ring
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(ring)
        os.close(rung)


def _note(ring: int) -> None:
    os.write(ring, _SIZE_CHANGED)


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)  # what is typed already is not lost
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
