"""What this computer keeps for machines that are rented: the key that they let in, and the host keys born on them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path

from attrs import evolve

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.plugin import state_folder
from longshore_ssh.boot import BORN_FILE, BORN_KIND, GIVEN_KIND
from longshore_ssh.config import SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.errors import translated
from longshore_ssh.identity import fingerprint_of
from longshore_ssh.targets import Target

__all__ = ["as_rented", "login_key", "meet"]

_log = logging.getLogger(__name__)

_KEPT_SECONDS = 90 * 86_400.0
"""A host key that was not asked for in this time is forgotten."""
_MOST_BYTES = 4096


def _folder() -> Path:
    """Say where that is kept."""
    return state_folder(os.environ) / "ssh"


def login_key(config: SshConfig) -> Path:
    """Give the private key by which we log in to rented machines: the pool's, else one of our own, made once.

    Raises:
        ExecutorError: when there is none and it cannot be made.
    """
    if config.identity_file:
        return Path(config.identity_file).expanduser()
    path = _folder() / "id_ed25519"
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
    except OSError as error:
        raise ExecutorError(f"the key for rented machines cannot be kept at {path}: {error.strerror}") from error
    return path


def as_rented(target: Target, config: SshConfig) -> Target:
    """Say how to log in to a machine that is known by the host key that it was given; errors as of `login_key`."""
    born = _noted(target.fingerprint)
    return evolve(
        target,
        fingerprint=born or target.fingerprint,
        host_key_kind=BORN_KIND if born else GIVEN_KIND,
        identity_files=(login_key(config),),
        identities_only=True,
    )


def meet(connection: Connection, *, seconds: float) -> Target:
    """Believe, after a first login, in nothing but the host key that was born there; say how to log in from now on."""
    target = connection.target
    if target.host_key_kind != GIVEN_KIND:
        return target
    try:
        born = _born_key(connection, seconds)
        if born:
            _note(target.fingerprint, born)
            return evolve(target, fingerprint=born, host_key_kind=BORN_KIND)
    except (MachineUnreachable, OSError) as error:
        _log.warning("%s keeps the host key that it was given: %s", target.name, error)
    return target


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  paramiko brings it along; it is slow
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  as above

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    with tempfile.TemporaryDirectory(dir=path.parent) as aside:
        made = Path(aside) / path.name
        for place, content in ((made, private), (Path(f"{made}.pub"), public + b" longshore\n")):
            place.touch(mode=0o600)
            place.write_bytes(content)
        # Whoever is first has made it. The public half is read from the private one when a crash comes in between.
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
            os.replace(f"{made}.pub", f"{path}.pub")


def _noted(given: str) -> str:
    """Give the fingerprint of the host key that was born on a machine, which was given another; empty when unknown."""
    path = _place(given)
    try:
        text = path.read_text()
        os.utime(path)
    except OSError:
        return ""
    return text.strip()


def _note(given: str, born: str) -> None:
    """Write down which host key was born on a machine."""
    path = _place(given)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(f"{born}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    for old in path.parent.iterdir():
        with contextlib.suppress(FileNotFoundError):  # others do the same
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                old.unlink()


def _place(given: str) -> Path:
    return _folder() / "hosts" / hashlib.sha256(given.encode()).hexdigest()


def _born_key(connection: Connection, seconds: float) -> str:
    """Ask a machine, over a link that is verified, for the fingerprint of the key born there; empty without one."""
    with translated(connection.target.name, connection.target.port):
        channel = connection.execute(f"cat {BORN_FILE} 2>/dev/null", seconds=seconds)
        channel.settimeout(seconds)
        heard = b""
        try:
            while len(heard) < _MOST_BYTES and (piece := channel.recv(_MOST_BYTES)):
                heard += piece
        finally:
            channel.close()
    lines = heard.decode("ascii", "replace").splitlines()
    keys = [line for line in lines if line.split()[:1] == [BORN_KIND]]
    try:
        return fingerprint_of(keys[0]) if keys else ""
    except ValueError:
        return ""
