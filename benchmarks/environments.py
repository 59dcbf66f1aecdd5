"""Virtual environments, one for each tool, made when a tool is first needed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from measure import NotMeasured, variables

INSTALL_TIMEOUT_SECONDS = 900


class Environments:
    """The virtual environments below one folder. A tool that did not install is not tried again in this process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._failures: dict[str, str] = {}

    def programs(self, name: str, requirements: Sequence[str], *, fingerprint: str = "") -> Path:
        """Give the folder of an environment's programs, installing what is required into it if need be.

        An environment is made anew when the requirements or the fingerprint (of sources) differ from those it was
        made for. Raises NotMeasured, with the reason, when the requirements do not install.
        """
        if name in self._failures:
            raise NotMeasured(self._failures[name])
        folder = self._root / name
        wanted = "\n".join([sys.version, *requirements, fingerprint])
        stamp = folder / "installed-for.txt"
        if not (stamp.exists() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            try:
                install(folder, requirements, log=self._root / f"{name}.log")
            except NotMeasured as failure:
                self._failures[name] = str(failure)
                raise
            stamp.write_text(wanted)
        return folder / "bin"


def install(folder: Path, requirements: Sequence[str], *, log: Path) -> None:
    """Make a new virtual environment with the requirements in it; raises NotMeasured with pip's own reason."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    make = [sys.executable, "-m", "venv", "--clear", str(folder)]
    fill = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *requirements]
    with log.open("wb") as output:
        for command in (make, fill):
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=variables(),
                    timeout=INSTALL_TIMEOUT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise NotMeasured(f"did not install within {INSTALL_TIMEOUT_SECONDS} s (see {log})") from None
            if done.returncode != 0:
                raise NotMeasured(f"did not install: {_reason(log)} (see {log})")


def fingerprint_of(folders: Sequence[Path]) -> str:
    """Give a digest of all sources below the folders, so that an installed copy of older ones is noticed."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(folder)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _reason(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no output"])[0][:200]
