"""Engines for containers with a store of their own, and in it one image of two megabytes: podman, as root or as an
ordinary user, and the service of docker. Nothing of them is left, and no registry is asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest
from attrs import frozen

__all__ = ["Engine", "docker", "podman", "programs_without"]

_SECONDS = 120.0
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_PROGRAMS = "cat chmod echo env grep id ls mkdir mv rm sh sleep test touch true".split()
_CONTAINERS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{store}/t"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""
"""What podman needs where there is neither systemd nor much that it may raise. Its locks and notes are its own, too:
those that all podmans of a user have in common are made anew by whoever comes first.
"""


@frozen(kw_only=True)
class Engine:
    """An engine that has an image."""

    program: str
    settings: Mapping[str, str]
    """The variables by which the program finds its own; whoever is to use the image needs them."""
    user: str = ""
    """Whose containers they are; empty for who we are."""

    def call(self, *words: str) -> str:
        """Execute the program; give what it writes to stdout.

        Raises:
            subprocess.CalledProcessError: when it fails.
        """
        done = subprocess.run(
            [*_as(self.user), self.program, *words],
            env={**os.environ, "PATH": _PATH, **self._home, **self.settings},
            cwd="/",  # where whoever it is may be
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return done.stdout

    @property
    def _home(self) -> Mapping[str, str]:
        """Ours is not theirs."""
        return {"HOME": self.settings["XDG_RUNTIME_DIR"]} if self.user else {}

    @property
    def containers(self) -> list[str]:
        """All that there are, also those that have ended."""
        return self.call("ps", "--all", "--quiet").split()


@contextmanager
def podman(image: str, *, user: str = "") -> Iterator[Engine]:
    """Give a podman whose store has an image of this name; the test is skipped where there can be none.

    Args:
        image: its name; busybox is all that is in it.
        user: an ordinary user whose podman it is to be, when we are root.
    """
    program = _needed("podman")
    _needed("runc")
    # In a folder with a long name podman waits 20 s for the end of each container.
    store = Path(tempfile.mkdtemp(prefix="ls-"))
    (store / "containers.conf").write_text(_CONTAINERS.format(store=store))
    places = f'graphroot = "{store}/g"\nrootless_storage_path = "{store}/g"\nrunroot = "{store}/r"\n'
    (store / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{places}')
    settings = {
        "CONTAINERS_CONF": str(store / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(store / "storage.conf"),
    }
    if user or os.getuid():
        settings |= {"XDG_RUNTIME_DIR": str(store)}
    if user:
        shutil.chown(store, user)
    engine = Engine(program=program, settings=settings, user=user)
    try:
        _fill(engine, image, store)
        yield engine
    finally:
        # An ordinary user's store has files of users who are only in containers; as root there are none.
        if user or os.getuid():
            with suppress(subprocess.CalledProcessError):
                engine.call("unshare", "rm", "-rf", f"{store}/g")
        shutil.rmtree(store)


@contextmanager
def docker(image: str) -> Iterator[Engine]:
    """Give a docker with a service of its own that has an image; the test is skipped where there can be none."""
    program, service = _needed("docker"), _needed("dockerd")
    if os.getuid():
        pytest.skip("only root can start a service of docker")
    _needed("containerd")
    store = Path(tempfile.mkdtemp(prefix="ls-"))
    address = f"unix://{store}/s"
    places = ["--data-root", f"{store}/g", "--exec-root", f"{store}/r", "--pidfile", f"{store}/pid", "--host", address]
    apart = ["--bridge=none", "--iptables=false", "--ip-forward=false", "--group=", "--storage-driver=vfs"]
    control = ["--exec-opt", "native.cgroupdriver=cgroupfs"]
    with (store / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", service, *places, *apart, *control],
            env={**os.environ, "PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(store / "s", process, store / "log")
        engine = Engine(program=program, settings={"DOCKER_HOST": address})
        _fill(engine, image, store)
        yield engine
    finally:
        process.terminate()
        process.wait(_SECONDS)
        shutil.rmtree(store)


def programs_without(folder: Path, *names: str) -> Path:
    """Fill a folder with links to this computer's programs, but for some."""
    folder.mkdir()
    for place in _PATH.split(os.pathsep):
        for path in Path(place).iterdir() if Path(place).is_dir() else ():
            if path.name not in names and not (folder / path.name).is_symlink():
                (folder / path.name).symlink_to(path)
    return folder


def _needed(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def _as(user: str) -> Sequence[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []


def _wait_for(place: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, glance = time.monotonic() + _SECONDS, Event()
    while not place.exists():
        if process.poll() is not None:
            pytest.skip(f"docker's service does not work here: {log.read_text()[-200:]}")
        assert time.monotonic() < deadline, log.read_text()
        glance.wait(0.05)


def _fill(engine: Engine, image: str, store: Path) -> None:
    """Make the image, and see that a program can be executed in it."""
    busybox = os.path.realpath(_needed("busybox"))
    with tarfile.open(store / "tiny.tar", "w") as tar:
        tar.add(busybox, "bin/busybox")
        for name in _PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    try:
        engine.call("import", str(store / "tiny.tar"), image)
        engine.call("run", "--rm", "--network", "host", image, "true")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{engine.program} does not work here: {error.stderr.strip()[-200:]}")
