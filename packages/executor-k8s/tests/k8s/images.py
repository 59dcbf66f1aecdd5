"""What images of the stand-in are: folders of this computer, below which a container sees nothing else.

``busybox`` has busybox and nothing more, ``curl`` curl besides, ``distroless`` one program and no shell; every other
name is this computer with all that is installed on it, Python included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

__all__ = ["Image", "Images"]

_OWN = frozenset({"proc", "dev", "sys", "tmp"})
"""What a container has that its image does not bring."""


@frozen(kw_only=True)
class Image:
    """What a container finds at its root."""

    folders: tuple[tuple[str, Path], ...]
    """Name, and what of this computer lies there."""
    links: tuple[tuple[str, str], ...] = ()
    path: str = "/bin"
    """Its ``PATH``."""

    def finds(self, program: str, mounts: Sequence[tuple[Path, str]]) -> bool:
        """Say whether a program could be executed in a container of it, whose volumes are mounted so."""
        places = [program] if "/" in program else [f"{folder}/{program}" for folder in self.path.split(":")]
        roots = [*((f"/{name}", source) for name, source in self.folders), *((at, source) for source, at in mounts)]
        return any(
            os.access(source / place.removeprefix(root).lstrip("/"), os.X_OK)
            for place in places
            for root, source in roots
            if place.startswith(f"{root}/")
        ) or (bool(self.links) and shutil.which(program) is not None)


class Images:
    """All that there are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str) -> Image:
        """Give the image of a name."""
        for kind in ("busybox", "distroless"):
            if name.startswith(kind):
                return Image(folders=(("bin", self._made(kind)),))
        if name.startswith("curl"):
            libraries = tuple((each, Path("/", each).resolve()) for each in ("lib", "lib64", "etc"))
            return Image(folders=(("bin", self._made("curl")), *libraries))
        entries = [entry for entry in os.scandir("/") if entry.name not in _OWN]
        return Image(
            folders=tuple((entry.name, Path(entry.path)) for entry in entries if entry.is_dir(follow_symlinks=False)),
            links=tuple((entry.name, os.readlink(entry.path)) for entry in entries if entry.is_symlink()),
            path=os.environ.get("PATH", os.defpath),
        )

    def _made(self, kind: str) -> Path:
        place = self._folder / kind
        if not place.exists():
            beside = Path(f"{place}.{os.urandom(4).hex()}")
            beside.mkdir(parents=True)
            program = shutil.which("busybox")
            assert program is not None, "tests of pods need busybox"
            if kind != "distroless":
                shutil.copy(program, beside / "busybox")
                for name in subprocess.check_output([program, "--list"], text=True).split():
                    if name != "busybox":
                        (beside / name).symlink_to("busybox")
                if kind == "curl":
                    shutil.copy(shutil.which("curl") or "curl", beside / "curl")
            else:
                shutil.copy(program, beside / "uname")
            try:
                beside.rename(place)
            except OSError:
                shutil.rmtree(beside)  # another pod was faster
        return place
