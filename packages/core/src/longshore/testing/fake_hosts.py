"""Hosts that a stand-in for a cloud rents: each with a root file system, a network and a first process of its own.

A host executes the very boot data that it was launched with, answers SSH, can be reached by nobody but through
`FakeHosts.proxy_command`, and tells when it powers itself off. It is made of Linux namespaces on this computer's own
programs: this needs root, OpenSSH's server, iproute2, util-linux and busybox; `missing` says what is not there. Root of
a user namespace will do, when it has more ids than its own and a network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Collection, Sequence
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path
from urllib.parse import quote

__all__ = ["FakeHosts", "missing"]

_PROGRAMS = ("busybox", "ip", "mount", "nsenter", "pivot_root", "sshd", "ssh-keygen", "unshare", "useradd")
_SECONDS = 120.0
_NAME = "longshore"
_NETWORKS = count(1)
_SYS_ADMIN = 21
"""The number of the capability that namespaces and mounts need."""


def missing() -> str:
    """Say why there can be no such hosts here; empty when there can be."""
    lacking = [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]
    if os.geteuid() or not _may_mount():
        return "hosts with a root file system and a network of their own need root, at least of a user namespace"
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def _may_mount() -> bool:
    """Say whether this process has the rights of root: those of a container may lack some."""
    with open("/proc/self/status") as status:
        held = next((line.split()[1] for line in status if line.startswith("CapEff:")), "0")
    return bool(int(held, 16) >> _SYS_ADMIN & 1)


def _attributes() -> str:
    """Say whose extended attributes overlays use: a root of a user namespace may not write those of the true one."""
    everybody = Path("/proc/self/uid_map").read_text().split() == ["0", "0", str(2**32 - 1)]
    return "trusted" if everybody else "user"


def _make_accounts(etc: Path) -> None:
    """Lay down what programs for accounts change: a root of a user namespace may not change what the true one has."""
    for name in ("passwd", "group", "subuid", "subgid"):
        shutil.copyfile(f"/etc/{name}", etc / name)
    for name, secrets in (("passwd", "shadow"), ("group", "gshadow")):
        names = [line.partition(":")[0] for line in (etc / name).read_text().splitlines()]
        rest = "1:0:99999:7:::" if name == "passwd" else ":"
        (etc / secrets).write_text("".join(f"{each}:*:{rest}\n" for each in names))
    for name in (".pwd.lock", "passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-"):
        (etc / name).touch()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


class FakeHosts:
    """Hosts on a network of their own. Any thread may use it."""

    def __init__(self, folder: Path, *, off: Callable[[str], None]) -> None:
        """Make the network; `close` removes all.

        Args:
            folder: for their disks; on a file system that can be the upper side of an overlay.
            off: told the name of each host that has powered itself off, or has lost its first process; by a thread.
        """
        self._folder = folder
        self._off = off
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._power: dict[str, subprocess.Popen[bytes]] = {}
        self._telling = 0
        """So many have powered themselves off, and it is being told."""
        self._numbers = count(1)
        self._network = f"{_NAME}-{os.getpid()}-{next(_NETWORKS)}"
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left_over()
        _run("ip", "netns", "add", self._network)
        _ip(
            self._network,
            "link set lo up",
            "link add br0 type bridge",
            "address add 198.18.0.1/32 dev br0",
            "address add 169.254.169.254/32 dev br0",  # clouds tell machines about themselves there; nobody listens
            "link set br0 up",
            "route add default dev br0",
        )
        _run("nsenter", f"--net=/run/netns/{self._network}", "sh", "-c", _IMPATIENT)
        self._image = folder / "image"
        self._make_image()

    def _make_image(self) -> None:
        """Make what all disks begin with: a server's settings and host key, and a power switch."""
        ssh = self._image / "etc" / "ssh"
        programs = self._image / "usr" / "local" / "sbin"
        # In a user namespace nobody can write into folders of the true root, so that those which are used are made.
        for made in (ssh, programs, programs.parent / "bin", self._image / "etc" / "systemd" / "system"):
            made.mkdir(parents=True)
        parts = files("longshore.testing").joinpath("fake_host")
        (ssh / "sshd_config").write_text(parts.joinpath("sshd_config").read_text())
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "image", "-f", str(ssh / "ssh_host_ed25519_key"))
        systemctl = programs / "systemctl"
        systemctl.write_text(parts.joinpath("systemctl.sh").read_text())
        poweroff = programs / "poweroff"
        poweroff.write_text("#!/bin/sh\nexec systemctl poweroff\n")
        for program in (systemctl, poweroff):
            program.chmod(0o755)

    @property
    def proxy_command(self) -> str:
        """The way to a host, as ``ProxyCommand`` of an ``ssh_config``; ``%h`` and ``%p`` are put in."""
        return f"nsenter --net=/run/netns/{self._network} busybox nc %h %p"

    def boot(self, name: str, addresses: Sequence[str], data: str | None = None) -> None:
        """Switch a host on; return before it has booted.

        Args:
            name: its name; a disk of this name that was kept is used again. What it calls itself is the last part of a
                path.
            addresses: IPv4 addresses, by which other hosts reach it too.
            data: its boot data, a script with its ``#!`` line; executed when it has a new disk.
        """
        disk = self.disk(name)
        if not disk.exists():
            self._make_disk(disk, data)
        script = files("longshore.testing").joinpath("fake_host", "boot.sh")
        with as_file(script) as place, (disk / "console").open("ab") as console:
            process = subprocess.Popen(
                [*_UNSHARE, "sh", str(place), _attributes(), str(disk), name.rpartition("/")[2], *addresses],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env={"PATH": _path()},
                start_new_session=True,
            )
        with self._lock:
            self._power[name] = process
        self._connect(process)
        threading.Thread(target=self._wait, args=(name, process), name=f"host-{name}", daemon=True).start()

    def _make_disk(self, disk: Path, data: str | None) -> None:
        for part in ("etc.work", "usr.work", "root/var/lib/cloud"):
            (disk / part).mkdir(parents=True)
        shutil.copytree(self._image, disk, dirs_exist_ok=True)
        for part in ("ssh", "systemd"):  # nothing of this computer's own shines through
            os.setxattr(disk / "etc" / part, f"{_attributes()}.overlay.opaque", b"y")
        if _attributes() == "user":
            _make_accounts(disk / "etc")
        if data is not None:
            place = disk / "root" / "var" / "lib" / "cloud" / "user-data"
            place.write_text(data)
            place.chmod(0o700)

    def _connect(self, process: subprocess.Popen[bytes]) -> None:
        """Plug a host in; it waits for that."""
        assert process.stdin is not None
        assert process.stdout is not None
        cable = f"v{next(self._numbers)}"
        try:
            process.stdout.readline()  # it has left our network
            process.stdout.close()
            _ip(self._network, f"link add {cable} type veth peer name eth0 netns {process.pid}")
            _ip(self._network, f"link set {cable} master br0 up")
            process.stdin.write(b"\n")
            process.stdin.flush()  # it stays open: a host ends with whoever has switched it on
        except (OSError, subprocess.CalledProcessError):
            if process.poll() is None:  # it may have been cut off meanwhile
                process.kill()
                raise

    def _wait(self, name: str, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        with self._changed:
            if self._power.get(name) is not process:
                return
            del self._power[name]
            self._telling += 1
        try:
            self._off(name)
        finally:
            with self._changed:
                self._telling -= 1
                self._changed.notify_all()

    def cut(self, name: str, *, keep: bool = False) -> None:
        """Take the power away, and the disk too unless it is to be kept; silent for one that has none."""
        with self._changed:
            process = self._power.pop(name, None)
            self._changed.notify_all()
        if process is not None:
            process.kill()
            process.wait(_SECONDS)
        if not keep:
            shutil.rmtree(self.disk(name), ignore_errors=True)

    def living(self) -> Collection[str]:
        """Name those that have power."""
        with self._lock:
            return sorted(self._power)

    def wait_off(self, seconds: float) -> bool:
        """Wait until none has power, and whoever is told of that was told; say whether that came."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._power and not self._telling, seconds)

    def disk(self, name: str) -> Path:
        """Give the folder of a host's disk: ``root``, and what it has written into ``etc`` and ``usr``."""
        return self._folder / "disks" / quote(name, safe="")

    def console(self, name: str) -> str:
        """Give what was said while it booted."""
        disk = self.disk(name)
        logs = (disk / "console", disk / "root/var/log/cloud-init-output.log", disk / "root/var/log/sshd.log")
        return "\n".join(log.read_text(errors="replace") for log in logs if log.exists())

    def close(self) -> None:
        """Cut all off, and leave nothing."""
        for name in self.living():
            self.cut(name)
        _run("ip", "netns", "delete", self._network)
        shutil.rmtree(self._folder, ignore_errors=True)


_IMPATIENT = "cd /proc/sys/net/ipv4/neigh/br0; echo 20 >retrans_time_ms; echo 250 >mcast_solicit"
"""Whoever looks for a host that has no network yet asks again at once and not each second, as in a cloud's network."""
_UNSHARE = ("unshare", "-m", "-p", "-u", "-i", "-n", "--fork", "--kill-child", "--propagation", "private")


def _remove_left_over() -> None:
    """Remove the networks of those that were killed."""
    for network in Path("/run/netns").glob(f"{_NAME}-*-*"):
        if not Path("/proc", network.name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "delete", network.name], check=False, env={"PATH": _path()})


def _ip(network: str, *commands: str) -> None:
    batch = "".join(f"{command}\n" for command in commands)
    _run("ip", "-n", network, "-batch", "-", text=batch)


def _run(*words: str, text: str = "") -> None:
    subprocess.run(
        words, input=text, text=True, check=True, capture_output=True, timeout=_SECONDS, env={"PATH": _path()}
    )
