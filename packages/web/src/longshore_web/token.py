"""The secret that opens the page, and what is derived from it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from attrs import field, frozen

from longshore.errors import UsageError

__all__ = ["Token", "token_kept", "token_path"]

_BYTES = 32


def token_path(environment: os._Environ[str]) -> Path:
    """Say where the token of this user is kept."""
    state = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "longshore" / "web-token"


@frozen
class Token:
    """A secret text; only what is derived from it is ever sent to a browser again."""

    text: str = field(repr=False)

    def opens(self, word: str) -> bool:
        """Say whether a word is the token."""
        return hmac.compare_digest(word.encode(), self.text.encode())

    def derived(self, purpose: str) -> str:
        """Give a word that proves the token for one purpose, and from which it cannot be found."""
        return hmac.new(self.text.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def proves(self, word: str, purpose: str) -> bool:
        """Say whether a word is what `derived` gives for a purpose."""
        return hmac.compare_digest(word.encode(), self.derived(purpose).encode())


def token_kept(path: Path) -> Token:
    """Read this user's token, or make it: in a file that nobody else can read.

    Raises:
        UsageError: when the file is somebody else's to read, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _read(path) if path.exists() else _made(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be used for the token of the page: {error.strerror}") from error


def _read(path: Path) -> Token:
    # Asked of what has been opened, so that it cannot be exchanged meanwhile.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with open(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise UsageError(f"others could read {path}; remove it, and a new token is made")
        text = file.read(1024).strip()
    if len(text) < _BYTES or not text.isalnum():
        raise UsageError(f"{path} holds no token; remove it, and a new one is made")
    return Token(text)


def _made(path: Path) -> Token:
    text = secrets.token_hex(_BYTES)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
    try:
        os.link(beside, path)
    except FileExistsError:
        return _read(path)  # somebody was quicker; theirs counts
    finally:
        beside.unlink()
    return Token(text)
