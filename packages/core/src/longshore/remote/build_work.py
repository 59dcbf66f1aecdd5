"""What a build does with the machine: programs are executed, on it or in an image, and what they print is kept.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from longshore.remote.build_relay import BuildProblem, Relay
from longshore.remote.containers import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Dict, List

    Order = Dict[str, Any]
    Rows = List[List[str]]

__all__ = ["Work", "written"]

_MOST_ANSWER_BYTES = 4 << 20
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SEPARATORS = re.compile(r"[-_.]+")


class Work:
    """One build at work: where it goes, with what variables, and in which image."""

    def __init__(self, root: str, order: Order, place: str, lock: int) -> None:
        self.order = order
        self.place = place
        self.tools = os.path.join(os.path.dirname(root), "tools")
        """What all builds of this machine share: programs that it did not have."""
        self.relay = Relay(place + ".log")
        self.engine = ""
        self.image = ""
        """The id of the image in which everything is executed; empty for the machine itself."""
        self.image_path = ""
        """The ``PATH`` that the image brings."""
        self.paths = [os.path.join(place, "bin")]
        """Folders whose programs are found first by those who use the environment."""
        self.told: Dict[str, str] = {}
        """Variables that they have."""
        self._lock = lock
        self._machine = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        self._machine.pop("VIRTUAL_ENV", None)

    @property
    def search(self) -> str:
        """The search path of the build."""
        base = self.image_path if self.image else self._machine.get("PATH", os.defpath)
        return os.pathsep.join([*self.paths, base])

    @property
    def env(self) -> Dict[str, str]:
        """The variables of the build."""
        return {
            **self._machine,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PYTHONNOUSERSITE": "1",
            "UV_NO_PROGRESS": "1",
            **self.told,
            "LONGSHORE_ENVIRONMENT": self.place,
            "PATH": self.search,
        }

    def find(self, name: str) -> str:
        """Give the path of a program of the machine or of the environment; nothing when there is none."""
        return shutil.which(name, path=self.search) or ""

    def run(self, argv: Sequence[str], *, here: bool = False, env: Mapping[str, str] | None = None) -> int:
        """Execute a program, and give its exit code; with ``here`` on the machine itself, whatever the image."""
        words, variables = self._words(argv, here, {**self.env, **(env or {})})
        try:
            process = subprocess.Popen(
                words,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock,),
            )
        except OSError as error:
            self.relay.tail = ["%s: %s" % (words[0], error.strerror)]
            return 127
        with process:
            self.relay.follow(process.stdout)
        return process.returncode

    def ask(self, argv: Sequence[str], *, here: bool = False) -> str:
        """Give what a program writes to stdout; nothing when it fails."""
        words, variables = self._words(argv, here, self.env)
        try:
            result = subprocess.run(
                words,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except OSError:
            return ""
        return "" if result.returncode else result.stdout[:_MOST_ANSWER_BYTES].decode("utf-8", "replace")

    def _words(self, argv: Sequence[str], here: bool, env: Dict[str, str]) -> tuple[list[str], Dict[str, str]]:
        if here or not self.image:
            return list(argv), env
        os.makedirs(self.tools, mode=0o700, exist_ok=True)
        words = wrapped(
            self.engine,
            self.image,
            argv,
            env,
            workdir=os.getcwd(),
            writable=[self.place, self.tools],
            own={**self.told, "PATH": self.search},
        )
        return words, {**env, "PATH": self._machine.get("PATH", os.defpath)}

    def failed(self, what: str, code: int) -> BuildProblem:
        """Give the words for a step that has failed."""
        return BuildProblem(self.relay.words(what, code))

    def culprit(self, wanted: Rows) -> str:
        """Name the line that an installer complains about, if it says so."""
        for line in reversed(self.relay.tail):  # what matters comes last
            numbers = [int(number) for number in re.findall(r"requirements\.txt \(line (\d+)\)", line)]
            found = [wanted[number - 1] for number in numbers if 0 < number <= len(wanted)]
            words = {_normal(word) for word in _PROJECT.findall(line)}
            found += [each for each in wanted if _normal(_name(each[0])) in words]
            if found:
                return "%s: %s" % (found[0][1], found[0][0])
        return ""

    def own_python(self) -> str:
        """Give the Python that the environment has so far; empty when it has none."""
        for folder in self.paths:
            path = os.path.join(folder, "python")
            if os.path.lexists(path):
                return path
        return ""

    def default_python(self) -> str:
        """Give the Python that is there without the environment."""
        return "python3" if self.image else sys.executable


def written(name: str, content: str) -> str:
    """Write a file beside the order; give its path."""
    with open(name, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(content)
    return os.path.abspath(name)


def _name(requirement: str) -> str:
    found = _PROJECT.match(requirement)
    return found[0] if found else ""


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()
