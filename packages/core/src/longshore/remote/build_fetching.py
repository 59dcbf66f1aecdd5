"""Programs that a build needs and a machine does not have: fetched once, and shared by all builds there.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import tarfile
import urllib.request

from longshore.remote.build_relay import BuildProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional

    from longshore.remote.build_work import Work

__all__ = ["fetched", "read", "unpack"]


def fetched(work: Work, name: str, fetch: Callable[[str], None]) -> str:
    """Give the path of a program that all builds of this machine share; it is fetched by the first of them."""
    os.makedirs(work.tools, mode=0o700, exist_ok=True)
    place = os.path.join(work.tools, name)
    lock = os.open(place + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            work.relay.say("%s is not here, and is fetched" % name)
            shutil.rmtree(place + ".new", ignore_errors=True)
            os.mkdir(place + ".new")
            fetch(place + ".new")
            os.rename(place + ".new", place)
    finally:
        os.close(lock)
    for folder, _, names in os.walk(place):
        if name in names and os.path.basename(folder) == "bin":
            return os.path.join(folder, name)
    raise BuildProblem("%s: what was fetched has no such program; remove %s" % (name, place))


def unpack(url: str, folder: str, sha256: Optional[str] = None) -> None:
    """Fetch an archive and unpack it. With a digest it must be what that says; an empty one is none that would do."""
    content = read(url)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise BuildProblem("%s is not what its publisher says: another digest" % url)
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="data")
            else:
                archive.extractall(folder)  # noqa: S202  the publisher's own archive, on a Python before filters
    except tarfile.TarError as error:
        raise BuildProblem("%s is no archive: %s" % (url, error)) from error


def read(url: str) -> bytes:
    """Fetch what stands at an address.

    Raises:
        BuildProblem: when that cannot be done.
    """
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  an address of ours, or the user's own
            return bytes(answer.read())
    except OSError as error:
        raise BuildProblem("%s cannot be fetched: %s (does this machine reach the network?)" % (url, error)) from error
