"""A store that is a folder, as a distribution of its own: what it has outlives every host of the tests."""

from __future__ import annotations

from pathlib import Path

__all__ = ["install_shelf"]

_MODULE = """
import shutil
from glob import glob
from pathlib import Path

from attrs import frozen
from longshore.errors import InputMissing
from longshore.plugin import StoreRecord, hookimpl


@frozen(kw_only=True)
class Config:
    pass


def path_of(url):
    return Path("SHELF", url.removeprefix("shelf://"))


class Shelf:
    def fetch(self, url, into):
        try:
            shutil.copyfile(path_of(url), into)
        except FileNotFoundError as error:
            raise InputMissing(f"{url} does not exist") from error

    def put(self, path, url):
        place = path_of(url)
        for folder in reversed(place.parents):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o777)
        beside = place.with_name(f".{place.name}")
        shutil.copyfile(path, beside)
        beside.chmod(0o666)
        beside.rename(place)

    def list(self, pattern):
        found = glob(str(path_of(pattern)), recursive=True)
        return sorted("shelf://" + each.removeprefix("SHELF/") for each in found)

    def empty(self, url):
        shutil.rmtree(path_of(url), ignore_errors=True)

    def abandon(self, url):
        pass


@hookimpl
def longshore_stores():
    return [StoreRecord(name="shelf", config=Config, schemes=("shelf",), factory=lambda _: Shelf(), api=(0, 1))]
"""


def install_shelf(folder: Path, shelf: Path) -> None:
    """Lay the distribution into a folder, for PYTHONPATH; what is stored lies in ``shelf``, which anybody may write."""
    shelf.mkdir()
    shelf.chmod(0o777)
    info = folder / "longshore_shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "longshore_shelf.py").write_text(_MODULE.replace("SHELF", str(shelf)))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: longshore-shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[longshore]\nstore.shelf = longshore_shelf\n")
    names = ["longshore_shelf.py", *(f"{info.name}/{name}" for name in ("METADATA", "entry_points.txt", "RECORD"))]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
