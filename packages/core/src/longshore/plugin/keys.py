"""Which key a machine is born with, in the words that all clouds share."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from attrs import frozen

from longshore.errors import InvalidRequest

__all__ = ["MADE", "Key", "public_key"]

_WORDS = 2


@frozen(kw_only=True)
class Key:
    """Which key pair machines are born with. The key that the pool's executor logs in with is let in besides."""

    create: bool = False
    """Make one for the project, of the public key of the pool's executor; it goes with the last machine."""
    name: str = ""
    """One that is in the account already. Its private key is named in the pool: ``identity_file``."""
    public_key: str = ""
    """Import this one: a line as in ``authorized_keys``, or the path of a file with one."""

    def __attrs_post_init__(self) -> None:
        """Refuse what says nothing, or two things."""
        if [self.create, bool(self.name), bool(self.public_key)].count(True) != 1:
            raise ValueError('write one of create = true, name = "..." and public_key = "..."')


MADE = Key(create=True)
"""What is usual."""


def public_key(given: str, kinds: Collection[str]) -> str:
    """Give a public key that is written out, or stands in a file; empty for an empty word.

    ``kinds`` are those that the cloud takes, as ``ssh-ed25519``.

    Raises:
        InvalidRequest: when there is no such file, or it holds no public key of these.
    """
    text = given.strip()
    if given and len(given.split()) < _WORDS:
        try:
            text = Path(given).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"the public key {given} cannot be read: {error}") from error
    words = text.split()
    if text and not (text.isprintable() and len(words) >= _WORDS and words[0] in kinds):
        raise InvalidRequest(f"{given[:80]!r} is no public key of a kind that can be used: {', '.join(sorted(kinds))}")
    return text
