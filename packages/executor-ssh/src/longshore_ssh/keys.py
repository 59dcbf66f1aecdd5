"""Private keys and passwords: from files, the agent, the environment, or whoever sits at the terminal; asked once."""

from __future__ import annotations

import base64
import getpass
import os
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import paramiko
from paramiko.pkey import UnknownKeyType

from longshore_ssh.errors import LoginRefused
from longshore_ssh.targets import Target

__all__ = ["login_keys", "password_for", "public_line"]

_DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
_TRIES = 3
_one_at_a_time = threading.Lock()
"""Fifty hosts that are logged in to at once ask one question."""


def login_keys(target: Target) -> Generator[tuple[str, paramiko.PKey], None, None]:
    """Give keys to try, each with where it is from: those that cost no question first.

    Raises:
        LoginRefused: when a key that is to be tried cannot be opened.
    """
    offered: set[bytes] = set()
    files = target.identity_files or () if target.identities_only else target.identity_files or _default_files()
    wanted = {public for path in files if (public := _public_of(path)) is not None}
    with _agent() as keys:
        agent = [key for key in keys if not target.identities_only or key.asbytes() in wanted]
        for key in sorted(agent, key=lambda each: each.asbytes() not in wanted):
            offered.add(key.asbytes())
            yield "the agent", key
    for path in files:
        if not path.exists():
            if target.identity_files and path not in _default_files():
                raise LoginRefused(f"{target.name}: the private key {path} does not exist")
            continue
        if _public_of(path) not in offered:
            yield str(path), _open_key(path, target.name, target.passphrase_env)


def public_line(path: Path, passphrase_env: str) -> str:
    """Give the public half of a private key, as ``authorized_keys`` has it.

    Raises:
        LoginRefused: when it cannot be read.
    """
    blob = _public_of(path)
    if blob is None:
        blob = _open_key(path, path.name, passphrase_env).asbytes()
    kind = paramiko.Message(blob).get_text()
    return f"{kind} {base64.b64encode(blob).decode('ascii')} longshore"


def _default_files() -> tuple[Path, ...]:
    folder = Path("~/.ssh").expanduser()
    return tuple(folder / name for name in _DEFAULT_NAMES)


def _public_of(path: Path) -> bytes | None:
    """Read the public half beside a private key, so that the key need not be opened to know which it is."""
    try:
        words = Path(f"{path}.pub").read_text().split()
        return bytes(paramiko.pkey.PublicBlob.from_string(" ".join(words[:3])).key_blob)
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def _agent() -> Iterator[Sequence[paramiko.PKey]]:
    """Give the keys that the agent has, which can be used within the block."""
    agent: paramiko.Agent | None = None
    if Path(os.environ.get("SSH_AUTH_SOCK") or "/dev/null").is_socket():
        with suppress(paramiko.SSHException, OSError):
            agent = paramiko.Agent()
    try:
        yield () if agent is None else agent.get_keys()
    finally:
        if agent is not None:
            agent.close()


def _open_key(path: Path, name: str, passphrase_env: str) -> paramiko.PKey:
    with _one_at_a_time:
        try:
            status = path.stat()
        except OSError as error:
            raise LoginRefused(f"{name}: the private key {path} cannot be read: {error.strerror}") from error
        return _load(path, (status.st_mtime_ns, status.st_size), passphrase_env)


@lru_cache(maxsize=64)  # to open an encrypted key takes half a second, and maybe a question
def _load(path: Path, _stamp: tuple[int, int], variable: str) -> paramiko.PKey:
    try:
        return _read(path, None)
    except _NeedsPassphrase:
        pass
    if variable:
        return _with_variable(path, variable)
    if not _has_terminal():
        raise LoginRefused(
            f"the private key {path} needs its passphrase, and there is no terminal to ask at; "
            "add it to your agent (ssh-add), or name an environment variable that has it in passphrase_env"
        )
    for _ in range(_TRIES):
        try:
            return _read(path, getpass.getpass(f"Passphrase for {path}: "))
        except _NeedsPassphrase:
            continue
    raise LoginRefused(f"the passphrase for the private key {path} is wrong")


def _with_variable(path: Path, variable: str) -> paramiko.PKey:
    passphrase = os.environ.get(variable)
    if not passphrase:
        raise LoginRefused(
            f"the private key {path} needs its passphrase, and the environment has no variable {variable}, "
            "which passphrase_env names"
        )
    try:
        return _read(path, passphrase)
    except _NeedsPassphrase as error:
        raise LoginRefused(f"the passphrase in {variable} is wrong for the private key {path}") from error


class _NeedsPassphrase(Exception):
    """The key is encrypted, and this is not what opens it."""


def _read(path: Path, passphrase: str | None) -> paramiko.PKey:
    """Open a key file.

    Raises:
        LoginRefused: when it is no key.
    """
    encrypted = False
    try:
        encrypted = _is_encrypted(path)
        if encrypted and passphrase is None:
            raise _NeedsPassphrase
        # Text is what it says it takes, and bytes are what it can use.
        secret: Any = None if passphrase is None else passphrase.encode()
        return paramiko.PKey.from_path(path, secret)
    except OSError as error:
        raise LoginRefused(f"the private key {path} cannot be read: {error.strerror}") from error
    except (paramiko.SSHException, UnknownKeyType, ValueError, TypeError) as error:
        if encrypted:
            raise _NeedsPassphrase from error
        raise LoginRefused(f"{path} is no private key that can be used (ed25519, ECDSA or RSA)") from error


def _is_encrypted(path: Path) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  paramiko brings it along
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  as above

    content = path.read_bytes()
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            load(content, None)
        except TypeError:
            return True
        except (ValueError, UnsupportedAlgorithm):
            continue
        else:
            return False
    return False


def password_for(target: Target) -> str:
    """Give the password of a host's user.

    Raises:
        LoginRefused: when nobody says it.
    """
    with _one_at_a_time:
        return _password(target.user, target.name, target.password_env)


@lru_cache(maxsize=256)
def _password(user: str, name: str, variable: str) -> str:
    if variable:
        password = os.environ.get(variable)
        if password:
            return password
        raise LoginRefused(f"{name}: the environment has no variable {variable}, which password_env names")
    if not _has_terminal():
        raise LoginRefused(
            f"{name}: there is no terminal to ask for the password at; "
            "name an environment variable that has it in password_env"
        )
    return getpass.getpass(f"Password of {user} on {name}: ")


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
