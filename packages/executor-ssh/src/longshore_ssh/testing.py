"""For tests: real sshd processes on loopback addresses, each a host with a key and a home of its own.

They need no more than OpenSSH. As an ordinary user they let that user in; as root they let a user in that is made for
it and has no rights.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from longshore.remote.processes import send_signal
from longshore.remote.protocol import decode_lines
from longshore.remote.watch import exit_handle
from longshore_ssh.testing_networks import SECONDS, Island, Meter, no_islands

__all__ = [
    "SECONDS",
    "Island",
    "Lab",
    "Meter",
    "Sshd",
    "free_port",
    "make_key",
    "missing",
    "no_islands",
    "programs_without_python",
]

_ROOTS_USER = "longshore-ssh-test"
_BELOW = "/run/sshd"
_SSH_PORT = 22


def missing() -> str:
    """Say why no sshd can be started here; empty when one can."""
    if _program() is None:
        return "openssh-server is not installed"
    if os.getuid() == 0 and not _has_user() and shutil.which("useradd") is None:
        return "as root there must be a way to make an ordinary user"
    return ""


def _program() -> str | None:
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _has_user() -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(_ROOTS_USER)
        return True
    return False


def _ordinary_user() -> str:
    if os.getuid():
        return getpass.getuser()
    if not _has_user():
        subprocess.run(
            ["useradd", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", "--password", "*", _ROOTS_USER],
            check=False,  # another test run may be making it just now
            timeout=SECONDS,
        )
    return _ROOTS_USER


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *options: str) -> Path:
    """Make a private key, and a public one beside it; ``options`` are those of ssh-keygen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path), *options]
    subprocess.run(command, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    return path


def free_port(address: str) -> int:
    """Give a port of an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def programs_without_python(folder: Path) -> Path:
    """Fill an empty folder with this computer's programs, but no Python; anybody may look into it."""
    folder.chmod(0o755)
    for program in Path("/usr/bin").iterdir():
        if "python" not in program.name:
            (folder / program.name).symlink_to(program)
    for program in Path("/bin").iterdir():
        if "python" not in program.name and not (folder / program.name).is_symlink():
            (folder / program.name).symlink_to(program)
    return folder


class Lab:
    """A folder for hosts, and the one key that all of them let in."""

    def __init__(self) -> None:
        """Make the folder and the key; `close` removes all."""
        self.folder = Path(tempfile.mkdtemp(prefix="longshore-ssh-"))
        self.folder.chmod(0o755)  # the hosts' user is another one
        self.user = _ordinary_user()
        self.key = make_key(self.folder / "ours" / "id_ed25519")
        self.known_hosts = self.folder / "ours" / "known_hosts"
        self.known_hosts.touch()
        self.hosts: list[Sshd] = []
        self._meters: dict[str, Meter] = {}

    def host(self, *options: str, path: Path | None = None, island: bool = False) -> Sshd:
        """Start another host, and know its key.

        Args:
            options: lines of its sshd_config.
            path: the one folder in which those who log in find programs; the usual ones when nothing is said.
            island: whether it has a network of its own, from which no other host can be reached; only as root.
        """
        host = Sshd(self, len(self.hosts) + 11, options, path, Island() if island else None)
        self.hosts.append(host)
        host.start()
        with self.known_hosts.open("a") as file:
            file.write(host.known_line)
        return host

    def address(self, number: int) -> str:
        """Give an address of this computer on which no other test run listens."""
        return f"127.{1 + (os.getpid() >> 8) % 254}.{os.getpid() % 256}.{number}"

    def ssh_config(self, *names: str) -> str:
        """Give text for ``~/.ssh/config`` by which hosts are reached under names, in their order."""
        return "".join(
            f"Host {name}\n    HostName {place[0]}\n    Port {place[1]}\n    User {self.user}\n"
            f"    HostKeyAlias {host.key_name}\n"
            f"    IdentityFile {self.key}\n    UserKnownHostsFile {self.known_hosts}\n"
            for name, host, place in zip(names, self.hosts, map(self._place, self.hosts), strict=True)
        )

    def meter(self, host: Sshd) -> Meter:
        """Count from now on what travels to a host and from it, by the names of `ssh_config`."""
        return self._meters.setdefault(host.address, Meter(host.address, host.port))

    def _place(self, host: Sshd) -> tuple[str, int]:
        meter = self._meters.get(host.address)
        return (host.address, host.port) if meter is None else ("127.0.0.1", meter.port)

    def close(self) -> None:
        """End all hosts, and leave nothing."""
        for host in self.hosts:
            host.close()
        for meter in self._meters.values():
            meter.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Sshd:
    """One host."""

    def __init__(
        self, lab: Lab, number: int, options: Sequence[str], path: Path | None, island: Island | None = None
    ) -> None:
        """Prepare; `Lab.host` starts it."""
        self.lab = lab
        self.address = lab.address(number) if island is None else island.address
        self.port = free_port(self.address) if island is None else _SSH_PORT
        self.island = island
        self.folder = lab.folder / f"h{number}"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        if not os.getuid():
            shutil.chown(self.home, lab.user)
        self.host_key = make_key(self.folder / "hostkey")
        self._options = options
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """How it is named in a config."""
        return f"{self.lab.user}@{self.address}:{self.port}"

    @property
    def public_key(self) -> str:
        """Its host key: kind and base64."""
        return " ".join(Path(f"{self.host_key}.pub").read_text().split()[:2])

    @property
    def known_line(self) -> str:
        """What ``known_hosts`` has of it."""
        return f"{self.key_name} {self.public_key}\n"

    @property
    def key_name(self) -> str:
        """By what name ``known_hosts`` knows it."""
        return self.address if self.port == _SSH_PORT else f"[{self.address}]:{self.port}"

    @property
    def cache(self) -> Path:
        """Where all of Longshore's lies on it."""
        return self.home / ".cache" / "longshore"

    def start(self) -> None:
        """Start it, and wait until it greets."""
        if not os.getuid():
            Path(_BELOW).mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text("\n".join(self._lines()) + "\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*(self.island.words if self.island else ()), _program() or "sshd", "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_greeting()

    def _lines(self) -> Iterator[str]:
        lab = self.lab
        # The first value of an option counts.
        yield from self._options
        yield f"ListenAddress {self.address}:{self.port}"
        yield f"HostKey {self.host_key}"
        yield f"PidFile {self.folder}/pid"
        yield f"AuthorizedKeysFile {lab.key}.pub"
        yield f"SetEnv HOME={self.home}" + (f" PATH={self._path}" if self._path else "")
        yield f"AllowUsers {lab.user}"
        yield "StrictModes no"
        yield "UsePAM no"
        yield "UseDNS no"
        yield "PasswordAuthentication no"
        yield "KbdInteractiveAuthentication no"
        yield "MaxStartups 100:30:200"
        yield "PrintMotd no"

    def _wait_greeting(self) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), SECONDS) as link:
                if link.recv(4) == b"SSH-":
                    return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        """The process that listens."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it with all of its connections, without a word to anybody."""
        assert self._process is not None
        if self._process.poll() is not None:
            return
        os.kill(self.pid, signal.SIGSTOP)  # it takes nobody in meanwhile
        self.cut()
        self._process.kill()
        self._process.wait(SECONDS)

    def reboot(self) -> None:
        """Start an island's host anew: nothing of what ran there is left, and what it said last was never sent."""
        assert self.island is not None
        self.island.end_all()
        self.stop()
        self.island.renew()
        self.start()

    def cut(self) -> None:
        """Kill what serves its connections; what was started through them lives on, if it can."""
        servants = [pid for pid in _family(self.pid) if _name_of(pid) == "sshd"]
        send_signal(servants, signal.SIGKILL)

    def supervisors(self) -> list[int]:
        """List the supervisors, and servers of shims, that have ever served here; the latest is the last."""
        records = [path for path in self.cache.glob("runs/*/record") if path.is_file()]
        lines = [line for record in records for line in decode_lines(record.read_bytes())]
        claims = sorted(self.cache.glob("runs/*/claim.*"), key=lambda path: int(path.suffix[1:]))
        servers = [int(claim.read_text().split()[0]) for claim in claims]
        return [int(line["pid"]) for line in lines if line["event"] == "supervisor"] + servers

    def crash(self) -> None:
        """Kill the supervisor; what it has started lives on."""
        pid = self.supervisors()[-1]
        with exit_handle(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            _wait_over(handle)

    def wait_idle(self) -> None:
        """Wait until no supervisor is left."""
        for pid in set(self.supervisors()):
            with contextlib.suppress(ProcessLookupError), exit_handle(pid) as handle:
                _wait_over(handle)

    def close(self) -> None:
        """End it, and what supervises attempts on it."""
        for pid in set(self.supervisors()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop()
        if self.island is not None:
            self.island.close()


def _wait_over(handle: Any) -> None:
    assert select.select([handle], [], [], SECONDS)[0], "a supervisor does not end"


def _family(pid: int) -> list[int]:
    """List the processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{entry}/stat").read_text()
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
