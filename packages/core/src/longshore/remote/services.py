"""What a supervisor executes attempts with; made once, given to whoever needs it.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

from longshore.remote.computer import clean_environment, memory_bytes, usable_cpus
from longshore.remote.helpers import Helpers
from longshore.remote.limits import Evidence, MemoryGroups
from longshore.remote.logs import LogShelf
from longshore.remote.neighbours import Neighbours
from longshore.remote.notices import Notices
from longshore.remote.orphans import Endings, Orphans
from longshore.remote.places import Blobs, Workdirs
from longshore.remote.processes import Programs
from longshore.remote.record import Record
from longshore.remote.room import Room
from longshore.remote.software import Software
from longshore.remote.staging import Staging
from longshore.remote.workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any, Protocol

    from longshore.remote.attempt import Attempt
    from longshore.remote.watch import Watch

    class Boss(Protocol):
        """Who is told what happens to attempts."""

        def tell(self, line: bytes) -> None:
            """Tell the controller, if there is one."""

        def over(self, attempt: Attempt, line: bytes) -> None:
            """Take note that an attempt is over, and of the line that says how."""

        def answered(self, attempt: Attempt, answer: dict[str, Any]) -> None:
            """Take note that a worker has made a call."""

        def began(self, attempt: Attempt) -> None:
            """Take note that a worker goes on with the next call of its batch."""

        def prints(self, attempt: Attempt) -> None:
            """Take note of an attempt that may print from now on."""

        def noticed(self, at: float) -> None:
            """Take note that the machine will be taken away (seconds since 1970)."""

        def returned(self, attempts: Sequence[Attempt]) -> None:
            """Let calls wait again that were handed out but not begun."""


__all__ = ["Services"]


class Services:
    """The parts, and what the controller has said in its hello."""

    def __init__(self, folder: str, watch: Watch, boss: Boss) -> None:
        """Make the parts.

        Args:
            folder: the supervisor's own.
            watch: the loop.
            boss: who is told what the parts find out.
        """
        self.folder = folder
        self.watch = watch
        self.boss = boss
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.record = Record(os.path.join(folder, "record"))
        self._neighbours = Neighbours(watch)
        self.room = Room(self._neighbours)
        self.shelf = LogShelf(os.path.basename(folder))
        self.workdirs = Workdirs(os.path.join(folder, "work"))
        self.blobs = Blobs(os.path.join(folder, "blobs"))
        self.helpers = Helpers(watch)
        self.staging = Staging(self.helpers, os.path.join(folder, "work"))
        self.staging.modules = os.path.join(folder, "modules")
        status = os.stat(folder)
        self.place = "%x-%x" % (status.st_dev, status.st_ino)
        """What tells this folder's attempts from all others on this computer."""
        self.orphans = Orphans(self.place)
        self.endings = Endings(watch, self.orphans)
        self.evidence = Evidence()
        self.groups = MemoryGroups()
        self.programs = Programs()
        self.software = Software(_build_words())
        self.workers = Workers(self, _program(folder, "worker.py"))
        self.base: Mapping[str, str] = {}
        self.notices = Notices(watch, boss.noticed)
        self._beat_file: str | None = None

    def configure(self, hello: dict[str, Any]) -> None:
        """Take over what a controller says of this machine and of its run."""
        env = hello.get("env")
        self.base = clean_environment(os.environ if env is None else env)
        self.room.set(hello["cpus"], hello["memory"], hello["gpus"], hello["slots"])
        if hello.get("room"):
            # What this run may use may be less than there is, and all runs together may use all.
            cpus, memory = max(hello["cpus"], usable_cpus()), max(hello["memory"], memory_bytes())
            # Several computers may have one home.
            self._neighbours.join(os.path.join(hello["room"], os.uname().nodename), cpus, memory)
        self.shelf.use(hello.get("logs") or os.path.join(self.folder, "logs"))
        self.staging.store = hello["store"]
        self.software.configure(hello.get("environments"))
        self.workers.configure(hello["python"], hello["project"], self.base)
        self._beat_file = hello.get("beat_file")
        if self._beat_file is not None:
            self.notices.use(os.path.dirname(self._beat_file) + "-notice")

    def attend(self) -> None:
        """Tell the machine's own watch, if it has one, that somebody attends to it."""
        if self._beat_file is None:
            return
        try:
            os.close(os.open(self._beat_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        except OSError:
            return  # it is no machine that would end itself

    def remove_stale(self, used: Collection[str]) -> None:
        """Remove the spare folders that supervisors who were killed have left, but for those that are used."""
        for path in self.workdirs.stale():
            if path not in used:
                self.staging.remove(path)

    def close(self) -> None:
        """Leave nothing spare behind."""
        self._neighbours.leave()
        self.workers.close()
        self.shelf.close()
        self.staging.close()
        self.workdirs.close()


def _build_words() -> list[str]:
    """Give the words behind a Python that begin a build: of a module as it is installed, or of the bundle."""
    here = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(here, "build.py")
    return [program] if os.path.exists(program) else [os.path.dirname(os.path.dirname(here)), "build"]


def _program(folder: str, name: str) -> str:
    """Give the path of a module that is executed as a program; from a bundle it is unpacked into the
    supervisor's folder.
    """
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    if not os.path.exists(path):
        import pkgutil  # noqa: PLC0415  in a bundle only

        content = pkgutil.get_data("longshore.remote", name)
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content or b"")
    return path
