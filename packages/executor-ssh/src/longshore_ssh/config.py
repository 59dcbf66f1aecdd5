"""What the user says of hosts: options of a pool, and of single hosts in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args

from attrs import Attribute, converters, field, fields, frozen
from attrs.validators import ge, gt, optional

from longshore.model.names import near
from longshore.model.quantity import parse_size

__all__ = ["Auth", "HostConfig", "SshConfig", "split_address"]

Auth = Literal["key", "password"]

_USER = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\$?"
_NAME = (
    r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
)
_ADDRESS = re.compile(rf"(?:(?P<user>{_USER})@)?(?P<host>{_NAME})(?::(?P<port>[0-9]{{1,5}}))?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MOST_PORT = 65535


def split_address(text: str) -> tuple[str, str, int | None]:
    """Take ``user@host:port`` apart; user and port may be missing. IPv6 addresses with a port are in brackets.

    Raises:
        ValueError: when it is no such thing. What passes is safe in every shell.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no host; write it as host, user@host or user@host:port")
    port = int(match["port"]) if match["port"] else None
    if port is not None:
        _port(port)
    return match["user"] or "", match["host"].strip("[]"), port


def _port(port: int) -> int:
    if not 0 < port <= _MOST_PORT:
        raise ValueError(f"{port} is no port; ports are numbers from 1 to {_MOST_PORT}")
    return port


def _address(_instance: object, _attribute: object, text: str) -> None:
    split_address(text)


def _chain(_instance: object, _attribute: object, text: str) -> None:
    for hop in text.split(","):
        if text:
            split_address(hop.strip())


def _is_port(_instance: object, _attribute: object, port: int | None) -> None:
    if port is not None:
        _port(port)


def _is_user(_instance: object, _attribute: object, user: str) -> None:
    if user and not re.fullmatch(_USER, user, re.ASCII):
        raise ValueError(f"{user!r} is no name of a user")


def _is_variable(_instance: object, _attribute: object, name: str) -> None:
    if name and not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an environment variable; the secret itself must not stand here")


def _is_auth(_instance: object, _attribute: object, auth: str) -> None:
    if auth not in ("", *get_args(Auth)):
        raise ValueError(f'{auth!r} is no way to log in; write "key" or "password"')


@frozen(kw_only=True)
class HostConfig:
    """One host of a pool. What is not said here is as in the pool, else as in ``~/.ssh/config``, else asked of the
    host.
    """

    host: str = field(validator=_address)
    """``host``, ``user@host`` or ``user@host:port``; a name of ``~/.ssh/config`` is one too."""
    user: str = field(default="", validator=_is_user)
    port: int | None = field(default=None, validator=_is_port)
    identity_file: str = ""
    """A private key; others are not tried then."""
    jump: str = field(default="", validator=_chain)
    """Hosts to go through, the first one first, with commas between."""
    auth: str = field(default="", validator=_is_auth)
    """``key`` (also when nothing is said) or ``password``."""
    cpus: float | None = field(default=None, validator=optional(gt(0)))
    memory: int | None = field(default=None, converter=converters.optional(parse_size), validator=optional(gt(0)))
    gpus: int | None = field(default=None, validator=optional(ge(0)))
    slots: int | None = field(default=None, validator=optional(gt(0)))
    """At most so many attempts at once, whatever their needs."""
    labels: Mapping[str, str] = field(factory=dict[str, str])
    """Tags of the machine, for strategies and reports."""


_KINDS: Mapping[str, tuple[type, ...]] = {
    "host": (str,),
    "user": (str,),
    "port": (int,),
    "identity_file": (str,),
    "jump": (str,),
    "auth": (str,),
    "cpus": (int, float),
    "memory": (str, int),
    "gpus": (int,),
    "slots": (int,),
    "labels": (dict,),
}


def _hosts(given: object) -> tuple[HostConfig, ...]:
    """Read a list of texts and tables; every mistake is told at once."""
    if not isinstance(given, list | tuple):
        raise TypeError("a list of hosts is wanted")
    hosts: list[HostConfig] = []
    wrong: list[str] = []
    for index, each in enumerate(given):
        try:
            hosts.append(each if isinstance(each, HostConfig) else _host(each))
        except (TypeError, ValueError) as error:
            wrong.append(f"host {index + 1}: {error}")
    names = [host.host for host in hosts]
    wrong += [
        f"{name!r} stands there {names.count(name)} times" for name in sorted(set(names)) if names.count(name) > 1
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(hosts)


def _host(each: object) -> HostConfig:
    if isinstance(each, str):
        return HostConfig(host=each)
    if not isinstance(each, Mapping):
        raise TypeError('a host is text, or a table such as { host = "h1", cpus = 4 }')
    known = [field.name for field in fields(HostConfig)]
    for name, value in each.items():
        if name not in known:
            close = near(name, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"known keys: {', '.join(known)}"
            raise ValueError(f"there is no option {name!r}; {hint}")
        if isinstance(value, bool) or not isinstance(value, _KINDS[name]):
            raise TypeError(f"{name} cannot be {value!r}")
    if "host" not in each:
        raise ValueError('"host" is missing')
    if not all(isinstance(label, str) for label in each.get("labels", {}).values()):
        raise TypeError("labels are texts")
    return HostConfig(**each)


def _positive(_instance: object, attribute: Attribute[timedelta], value: timedelta) -> None:
    if value <= timedelta(0):
        raise ValueError(f"{attribute.name} must be longer than nothing")


@frozen(kw_only=True)
class SshConfig:
    """Options of a pool of hosts that answer SSH. What is not said is as in ``~/.ssh/config``."""

    hosts: tuple[HostConfig, ...] = field(default=(), converter=_hosts)
    """Texts such as ``"user@h1:2222"``, or tables with the keys of `HostConfig`; empty when a provider rents them."""
    user: str = field(default="", validator=_is_user)
    port: int | None = field(default=None, validator=_is_port)
    identity_file: str = ""
    jump: str = field(default="", validator=_chain)
    auth: str = field(default="", validator=_is_auth)
    password_env: str = field(default="", validator=_is_variable)
    """Name of the environment variable that has the password; asked for at the terminal when there is none."""
    passphrase_env: str = field(default="", validator=_is_variable)
    """Name of the environment variable that has the passphrase of the private key."""
    ssh_config: str = "~/.ssh/config"
    """Empty for none."""
    known_hosts: str = ""
    """A file; empty for those that ``ssh`` uses."""
    folder: str = "~/.cache/longshore"
    """Where on the hosts all that is ours lies; made with mode 0700."""
    shared_fs: bool = field(default=False)
    """Whether ``folder`` is on one file system for all of them: then what one host has is there for all."""
    direct: bool = True
    """Whether hosts may get data from each other; else all go through this computer."""
    python: str = ""
    """A Python on the hosts, 3.8 or later; empty to look for one."""
    connect_timeout: timedelta = field(default=timedelta(seconds=30), validator=_positive)
    """How long logging in may take."""
    reconnect: timedelta = field(default=timedelta(minutes=10), validator=_positive)
    """How long a link may be down before the host counts as lost."""

    @shared_fs.validator
    def _has_hosts(self, _attribute: Attribute[bool], value: bool) -> None:
        if value and not self.hosts:
            raise ValueError("shared_fs is for hosts that are listed; rented machines share no file system")
