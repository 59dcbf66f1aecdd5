"""Where attempts' logs are: files while a run goes on, one archive when a run of many tasks has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from attrs import frozen

__all__ = ["LogPart", "log_paths", "pack", "read_part"]

_FOLDER = "logs"
_ARCHIVE = "logs.zip"
_FEW = 1000
"""So many files are left as they are: they can be looked at without any tool."""


def log_paths(run_folder: Path, task: str, attempt: int) -> tuple[Path, Path]:
    """Say where stdout and stderr of an attempt on this computer are, taken out of the archive if need be.

    A file that is not there is empty.
    """
    folder = run_folder / _FOLDER
    paths = folder / f"{task}.{attempt}.out", folder / f"{task}.{attempt}.err"
    archive = run_folder / _ARCHIVE
    if not any(path.exists() for path in paths) and archive.exists():
        import zipfile  # noqa: PLC0415  few runs have so many logs, and all wait for imports

        with zipfile.ZipFile(archive) as packed:
            for path in paths:
                with suppress(KeyError):
                    packed.extract(path.name, folder)
    return paths


@frozen(kw_only=True)
class LogPart:
    """A piece of what an attempt wrote to one stream."""

    begin: int
    """The offset of its first byte."""
    data: bytes
    size: int
    """How much has been written in all."""
    most: int
    """How many bytes were asked for at the most."""


def read_part(path: Path, begin: int | None = None, *, most: int) -> LogPart:
    """Read at most so many bytes from an offset on; without one the last bytes, from the beginning of a line if they
    have one.

    A file that is not there is empty, and what lies behind its end, too.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return LogPart(begin=0, data=b"", size=0, most=most)
    with file:
        size = os.fstat(file.fileno()).st_size
        start = max(0, size - most) if begin is None else min(begin, size)
        file.seek(start)
        data = file.read(most)
    if begin is None and start:
        line = data.find(b"\n", 0, len(data) - 1) + 1
        start, data = start + line, data[line:]
    return LogPart(begin=start, data=data, size=size, most=most)


def pack(run_folder: Path) -> None:
    """Put the logs of a run that has ended into one archive, if they are many. A crash leaves them as they were.

    Logs that are in an archive already, from before the run was continued, stay in it.
    """
    folder = run_folder / _FOLDER
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return
    if len(names) <= _FEW:
        return
    import zipfile  # noqa: PLC0415  as above

    archive = run_folder / _ARCHIVE
    beside = run_folder / f"{_ARCHIVE}.new"
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name in names:
            packed.write(folder / name, name)
        if archive.exists():
            known = set(names)
            with zipfile.ZipFile(archive) as before:
                for name in before.namelist():
                    if name not in known:
                        packed.writestr(name, before.read(name))
    beside.replace(archive)
    for name in names:
        (folder / name).unlink(missing_ok=True)
