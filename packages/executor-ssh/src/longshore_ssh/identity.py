"""Whether what answers is the host that is meant: ``known_hosts``, or the fingerprint that came with a machine."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence

import paramiko

from longshore_ssh.errors import NotTheHost
from longshore_ssh.targets import Target

__all__ = ["fingerprint", "fingerprint_of", "known_types", "verify"]

_SHORT_NAMES = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}


def fingerprint(key: paramiko.PKey) -> str:
    """Give a key's fingerprint as ``ssh-keygen -l`` shows it."""
    return _shown(key.asbytes())


def fingerprint_of(line: str) -> str:
    """Give the fingerprint of a public key as a line: kind, base64, and maybe a comment.

    Raises:
        ValueError: when it is no such line.
    """
    words = line.split()
    if len(words) < 2:
        raise ValueError(f"{line!r} is no public key")
    return _shown(base64.b64decode(words[1], validate=True))


def _shown(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def known_types(target: Target) -> Sequence[str]:
    """List the kinds of keys that we know of a host, so that it is asked for one of these."""
    return [target.host_key_kind] if target.fingerprint else list(_known(target))


def verify(target: Target, key: paramiko.PKey) -> None:
    """See that a host's key is its own.

    Raises:
        NotTheHost: when it is another one, or nobody knows.
    """
    shown = fingerprint(key)
    if target.fingerprint:
        if shown != target.fingerprint:
            raise NotTheHost(
                f"what answers at {_place(target)} is not the machine that was rented: its host key is {shown}, "
                f"and should be {target.fingerprint}; nothing was sent to it"
            )
        return
    known = _known(target)
    right = known.get(key.get_name())
    if right == key:
        return
    files = ", ".join(str(path) for path in target.known_hosts) or "known_hosts"
    short = _SHORT_NAMES.get(key.get_name(), "ecdsa")
    if known:
        had = ", ".join(f"{fingerprint(each)} ({each.get_name()})" for each in known.values())
        raise NotTheHost(
            f"THE HOST KEY OF {target.name} HAS CHANGED. Somebody may be listening in, or the host was set up anew. "
            f"It is {shown} ({key.get_name()}) now, and {files} has {had}. Nothing was sent.",
            "When you know that the new key is right, forget the old one:\n"
            f"    ssh-keygen -f {shlex.quote(str(_first(target)))} -R {shlex.quote(target.key_name)}",
        )
    line = f"{target.key_name} {key.get_name()} {key.get_base64()}"
    raise NotTheHost(
        f"the host key of {target.name} is not known; it is\n    {shown} ({key.get_name()})\nNothing was sent.",
        f"Compare it with what the host itself says:\n"
        f"    ssh-keygen -lf /etc/ssh/ssh_host_{short}_key.pub\n"
        f"and when they are the same, accept it:\n"
        f"    echo {shlex.quote(line)} >> {shlex.quote(str(_first(target)))}",
    )


def _first(target: Target) -> object:
    return target.known_hosts[0] if target.known_hosts else "~/.ssh/known_hosts"


def _place(target: Target) -> str:
    return target.host if target.port == 22 else f"{target.host}:{target.port}"


def _known(target: Target) -> dict[str, paramiko.PKey]:
    """Read what is known of a host, by kind of key. The first file that says something of a kind is believed."""
    found: dict[str, paramiko.PKey] = {}
    for path in target.known_hosts:
        keys = paramiko.HostKeys()
        try:
            keys.load(str(path))
        except OSError:
            continue  # a file that is not there says nothing
        for kind, key in (keys.lookup(target.key_name) or {}).items():
            found.setdefault(kind, key)
    return found
