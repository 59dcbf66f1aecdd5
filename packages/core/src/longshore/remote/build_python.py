"""Steps of a build about Python: an interpreter of its own, and what pip, or uv, installs for it.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import glob
import os
import sys

from longshore.remote.build_relay import BuildProblem
from longshore.remote.build_work import written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

    from longshore.remote.build_work import Work

__all__ = ["freeze", "install_pip", "version"]


def install_pip(work: Work) -> None:
    """Make the environment's Python, and let pip, or uv, install what is required."""
    if not work.order["own_python"]:
        return
    _make_venv(work)
    wanted, bounds = work.order["pip"], work.order["constraints"]
    if not wanted:
        return
    work.relay.say("pip:")
    argv = [*_installer(work, "install"), "-r", written("requirements.txt", _lines(wanted))]
    if bounds:
        argv += ["-c", written("constraints.txt", _lines(bounds))]
    code = work.run(argv)
    if code:
        raise work.failed(work.culprit(wanted) or "pip", code)


def _make_venv(work: Work) -> None:
    asked, below = work.order["python"], work.own_python()
    uv = _uv(work)
    if uv:
        argv = [uv, "venv", "--quiet", "--allow-existing", "--python", below or asked or sys.executable]
    else:
        argv = [below or _find_python(work, asked), "-m", "venv"]
    if below:
        # What conda has brought is there too, and Python is conda's.
        argv.append("--system-site-packages")
    work.relay.say("Python: %s" % (below or asked or work.default_python()))
    code = work.run([*argv, work.place])
    if code:
        which = " with Python %s" % asked if asked and not below else ""
        hint = "" if uv else "; install uv, or python3-venv of the system"
        raise work.failed("no virtual environment%s could be made%s" % (which, hint), code)
    work.told["VIRTUAL_ENV"] = work.place


def _find_python(work: Work, asked: str) -> str:
    if work.image:
        return "python" + ".".join(asked.split(".")[:2]) if asked else work.default_python()
    own = ".".join(str(part) for part in sys.version_info[:3])
    if not asked or (own + ".").startswith(asked + "."):
        return sys.executable
    found = work.find("python" + ".".join(asked.split(".")[:2]))
    if not found:
        raise BuildProblem(
            "python: there is no Python %s here (this one is %s); install it, or uv, which brings it" % (asked, own)
        )
    return found


def _uv(work: Work) -> str:
    return "" if work.image else work.find("uv")


def _installer(work: Work, what: str) -> List[str]:
    python = os.path.join(work.place, "bin", "python")
    uv = _uv(work)
    return [uv, "pip", what, "--python", python] if uv else [python, "-m", "pip", what]


def _lines(rows: List[List[str]]) -> str:
    return "".join(text + "\n" for text, _ in rows)


def freeze(work: Work) -> str:
    """Give what pip has installed, as lines of a requirements file."""
    if not work.order["own_python"]:
        return "".join(_by_pip(work.told["CONDA_PREFIX"])) if "CONDA_PREFIX" in work.told else ""
    words = _installer(work, "freeze")
    return work.ask(words if _uv(work) else [*words, "--all", "--local"])


def _by_pip(prefix: str) -> List[str]:
    """List what pip has put between the packages of conda, as it does for conda's own files."""
    found: List[str] = []
    for info in sorted(glob.glob(os.path.join(prefix, "lib", "python3.*", "site-packages", "*.dist-info"))):
        try:
            with open(os.path.join(info, "INSTALLER"), encoding="utf-8") as file:
                by_conda = file.read().strip() in ("", "conda")
        except OSError:
            by_conda = True
        if not by_conda:
            name, _, version = os.path.basename(info)[: -len(".dist-info")].rpartition("-")
            found.append("%s==%s\n" % (name, version))
    return found


def version(work: Work) -> str:
    """Give the version of the environment's Python; nothing when it has none."""
    python = work.own_python()
    if not python:
        return ""
    told = work.ask([python, "-I", "-S", "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]).strip()
    if not told:
        raise BuildProblem("its Python (%s) does not work" % python)
    return told
