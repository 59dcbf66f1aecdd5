"""Where a host is and how to get in: what the user has said in the pool, completed from ``~/.ssh/config``."""

from __future__ import annotations

import getpass
import glob
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import paramiko
from attrs import field, frozen

from longshore.errors import ExecutorError
from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore_ssh.config import HostConfig, SshConfig, split_address

__all__ = ["Target", "find_target", "target_of"]

_SSH_PORT = 22
_MOST_HOPS = 8
_MOST_INCLUDED = 16
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_OWN_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")


@frozen(kw_only=True)
class Target:
    """All that is needed to log in to one host."""

    name: str
    """As the user writes it."""
    host: str
    port: int = _SSH_PORT
    user: str
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    """Whether no other keys may be offered."""
    jump: tuple[Target, ...] = ()
    """Hosts to go through, the first one first."""
    proxy_command: str = ""
    key_name: str
    """The name under which ``known_hosts`` has its key."""
    known_hosts: tuple[Path, ...] = ()
    fingerprint: str = ""
    """Of the only host key that is right; empty when ``known_hosts`` decides."""
    host_key_kind: str = ""
    """Which kind of key that is; empty when nobody knows."""
    password: bool = False
    """Whether to log in by password, and nothing else."""
    password_env: str = field(default="")
    passphrase_env: str = field(default="")


def find_target(machine: Machine, config: SshConfig) -> Target:
    """Say how to log in to a machine: a host of the config, or one that was handed over with its address.

    Raises:
        ExecutorError: as `target_of`; also when the address is none for SSH.
    """
    given = {host.host: host for host in config.hosts}
    try:
        host = given.get(machine.address) or HostConfig(host=machine.address)
    except ValueError as error:
        raise ExecutorError(f"{machine.id} cannot be reached by SSH: {error}") from error
    return target_of(host, config, fingerprint=machine.tags.get(Tag.HOST_KEY, ""))


def target_of(host: HostConfig, config: SshConfig, *, fingerprint: str = "") -> Target:
    """Complete what is said of a host.

    Raises:
        ExecutorError: when ``~/.ssh/config`` cannot be read, or jump hosts lead in a circle.
    """
    return _Resolver(config).resolve(host, fingerprint=fingerprint)


class _Resolver:
    def __init__(self, config: SshConfig) -> None:
        self._config = config
        self._file = _read_config(config.ssh_config)

    def resolve(self, host: HostConfig, *, fingerprint: str = "", depth: int = 0) -> Target:
        if depth > _MOST_HOPS:
            raise ExecutorError(f"{host.host}: more than {_MOST_HOPS} jump hosts, or they lead in a circle")
        config = self._config
        user, name, port = split_address(host.host)
        try:
            entry = self._file.lookup(name)
        except (paramiko.ConfigParseError, paramiko.SSHException, ImportError) as error:
            raise ExecutorError(f"{config.ssh_config} cannot be used for {name}: {error}") from error
        # What is said of jump hosts is said in ~/.ssh/config: the pool's own words are about its hosts.
        pool = config if not depth else SshConfig()
        place = entry.get("hostname", name)
        number = port or host.port or pool.port or int(entry.get("port", _SSH_PORT))
        identity = host.identity_file or pool.identity_file
        jump = host.jump or pool.jump or entry.get("proxyjump", "")
        return Target(
            name=host.host,
            host=place,
            port=number,
            user=user or host.user or pool.user or entry.get("user", "") or getpass.getuser(),
            identity_files=tuple(
                Path(path).expanduser() for path in ([identity] if identity else entry.get("identityfile", []))
            ),
            identities_only=bool(identity) or entry.get("identitiesonly", "no") == "yes",
            jump=self._hops(jump, depth),
            proxy_command="" if jump and jump != "none" else _command(entry.get("proxycommand", "none")),
            key_name=entry.get("hostkeyalias") or (place if number == _SSH_PORT else f"[{place}]:{number}"),
            known_hosts=self._known_hosts(entry),
            fingerprint=fingerprint,
            password=(host.auth or pool.auth) == "password",
            password_env=pool.password_env,
            passphrase_env=config.passphrase_env,
        )

    def _hops(self, jump: str, depth: int) -> tuple[Target, ...]:
        if not jump or jump == "none":
            return ()
        try:
            hops = [self.resolve(HostConfig(host=hop.strip()), depth=depth + 1) for hop in jump.split(",")]
        except ValueError as error:
            raise ExecutorError(f"the jump host in {self._config.ssh_config}: {error}") from error
        # Only the first is reached from here, so only its own way there counts.
        return (*hops[0].jump, *hops)

    def _known_hosts(self, entry: paramiko.config.SSHConfigDict) -> tuple[Path, ...]:
        if self._config.known_hosts:
            return (Path(self._config.known_hosts).expanduser(),)
        own = shlex.split(entry.get("userknownhostsfile", " ".join(_OWN_KNOWN_HOSTS)))
        shared = shlex.split(entry.get("globalknownhostsfile", " ".join(_GLOBAL_KNOWN_HOSTS)))
        return tuple(Path(path).expanduser() for path in (*own, *shared) if path not in {"none", "/dev/null"})


def _command(text: str) -> str:
    return "" if text == "none" else text


def _read_config(path: str) -> paramiko.SSHConfig:
    place = Path(path).expanduser()
    try:
        text = "\n".join(_lines(place, 0)) if path else ""
        return paramiko.SSHConfig.from_text(text)
    except (OSError, UnicodeDecodeError, ValueError, paramiko.ConfigParseError) as error:
        raise ExecutorError(f"{path} cannot be read: {error}") from error


def _lines(path: Path, depth: int) -> Sequence[str]:
    """Read a file with all that it includes, as ``ssh`` does."""
    if not path.exists():
        return []
    found: list[str] = []
    for line in path.read_text().splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.lower() != "include":
            found.append(line)
        elif depth < _MOST_INCLUDED:
            for pattern in shlex.split(rest.lstrip("= ")):
                expanded = os.path.expanduser(pattern)
                whole = expanded if os.path.isabs(expanded) else os.path.join(os.path.expanduser("~/.ssh"), expanded)
                for name in sorted(glob.glob(whole)):
                    found += _lines(Path(name), depth + 1)
    return found
