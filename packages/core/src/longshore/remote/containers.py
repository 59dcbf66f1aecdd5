"""Programs in a container image, by podman or docker, as the user that we are: for builds, and for attempts.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ENGINES", "container_name", "find_engine", "removing", "run_silently", "wrapped"]

ENGINES = ("podman", "docker")
# These mean something on the machine, and something else, or nothing, in an image.
_OF_THE_MACHINE = frozenset(
    "CONDA_DEFAULT_ENV CONDA_PREFIX DYLD_LIBRARY_PATH HOME LD_LIBRARY_PATH PATH PWD PYTHONPATH SHELL TMPDIR "
    "VIRTUAL_ENV XDG_RUNTIME_DIR".split()
)
_SETTINGS = ("CONTAINERS_", "DOCKER_", "XDG_")


def find_engine(search: str | None) -> str:
    """Give the program that starts containers; nothing when there is none."""
    for name in ENGINES:
        found = shutil.which(name, path=search)
        if found:
            return found
    return ""


def container_name(mark: str) -> str:
    """Give the name of an attempt's container; nobody else's has it."""
    return "longshore-%s" % hashlib.sha256(mark.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def removing(engine: str, name: str, env: Mapping[str, str]) -> list[str]:
    """Give the words that end and remove a container, with the variables by which the engine finds its own."""
    settings = ["%s=%s" % (key, value) for key, value in env.items() if key.startswith(_SETTINGS)]
    return ["env", *settings, engine, "rm", "--force", name]


def run_silently(words: Sequence[str]) -> None:
    """Execute a program to its end; whatever comes of it."""
    try:
        subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return


def wrapped(
    engine: str,
    image: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    name: str = "",
    workdir: str,
    writable: Iterable[str] = (),
    readable: Iterable[str] = (),
    own: Mapping[str, str] | None = None,
) -> list[str]:
    """Give the words that execute a program in an image.

    Args:
        engine: path of podman or docker.
        image: its id or name.
        argv: what to execute there.
        env: the variables that the engine itself is given; those that are not the machine's own go into the container,
            by name only, so that no list of processes shows what they say.
        name: of the container; any when nothing is said.
        workdir: a folder that is there under the same name, and may be written.
        writable: other folders that are there, too.
        readable: files and folders that are there, and cannot be changed.
        own: variables as they are in there.
    """
    words = [engine, "run", "--rm", "--interactive=false", "--network", "host", "--workdir", workdir]
    if name:
        words += ["--name", name]
    if os.path.basename(engine) == "docker":
        # Its service is root; what is written must be ours.
        words += ["--user", "%d:%d" % (os.getuid(), os.getgid())]
    for place in dict.fromkeys((workdir, *writable)):
        words += ["--volume", "%s:%s" % (place, place)]
    for place in dict.fromkeys(readable):
        words += ["--volume", "%s:%s:ro" % (place, place)]
    for variable in env:
        if variable not in _OF_THE_MACHINE:
            words += ["--env", variable]
    for variable, value in {"HOME": workdir, **(own or {})}.items():
        words += ["--env", "%s=%s" % (variable, value)]
    return [*words, "--entrypoint", "", image, *argv]
