"""What a rented machine needs at its first boot, so that we know it when we meet it: a key that lets us in, and a host
key that we know beforehand.

The host key that is known beforehand stands in the boot data, which others in the account may read. So the machine
makes another one for itself, of another kind, and `longshore_ssh.rented` believes in nothing else as soon as it has
heard of that one.
"""

from __future__ import annotations

import shlex
from typing import Any

from longshore.plugin.abilities import FirstBoot
from longshore_ssh.identity import fingerprint_of

__all__ = ["BORN_FILE", "BORN_KIND", "GIVEN_KIND", "first_boot"]

GIVEN_KIND = "ecdsa-sha2-nistp256"
"""The host key that we give. Its files follow from the key alone, so that a repeated launch is the same."""
BORN_KIND = "ssh-ed25519"
"""The host key that is born there. Clients that know nothing yet ask for this kind first."""
BORN_FILE = "/etc/ssh/ssh_host_ed25519_key.pub"

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve's group: private keys are smaller (SEC 2, secp256r1)."""
# Host keys that the image brought along may be known to others.
_SCRIPT = """#!/bin/sh
cd /etc/ssh || exit
umask 077
rm -f ssh_host_*_key ssh_host_*_key.pub
printf %s {private} >ssh_host_ecdsa_key
printf '%s\\n' {public} >ssh_host_ecdsa_key.pub
ssh-keygen -q -t ed25519 -N '' -C '' -f ssh_host_ed25519_key </dev/null
chmod 0644 ssh_host_*_key.pub
sshd=$(command -v sshd || echo /usr/sbin/sshd)
"$sshd" -T 2>/dev/null | grep -q '^hostkey /etc/ssh/ssh_host_ed25519_key$' || rm -f ssh_host_ed25519_key*
if [ -d /run/systemd/system ]; then
    systemctl try-reload-or-restart ssh.service || systemctl try-reload-or-restart sshd.service
else
    kill -HUP "$(cat /run/sshd.pid)"
fi
"""


def first_boot(seed: bytes, login: str) -> FirstBoot:
    """Write our part of the boot data; equal arguments give equal answers (law P2).

    Args:
        seed: 32 secret bytes, from which the host key follows.
        login: the public key that is to be let in, one line.
    """
    private, public = _host_key(seed)
    script = _SCRIPT.format(private=shlex.quote(private), public=shlex.quote(public))
    return FirstBoot(keys=(login,), script=script, host_key=fingerprint_of(public))


def _host_key(seed: bytes) -> tuple[str, str]:
    """Derive a private key, as text that every sshd reads, and its public line."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  paramiko brings it along; it is slow
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  as above

    key: Any = ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())
    private: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public: bytes = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode("ascii"), public.decode("ascii")
