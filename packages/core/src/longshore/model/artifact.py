"""Named files and folders, known by what is in them."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen
from attrs.validators import ge, in_, matches_re

__all__ = ["Artifact", "ArtifactKind", "Input"]

ArtifactKind = Literal["file", "folder"]


@frozen(kw_only=True)
class Artifact:
    """A file or folder that a task reads or writes; two with one digest are the same.

    The digest of a file is the SHA-256 of its bytes; that of a folder is the SHA-256 of its canonical listing (sorted
    relative names with kind, permission bits, and the digest of each file or the target of each link), so that a
    renamed file, a changed mode and an empty folder all count.
    """

    path: str
    """Where it stands, relative to the folder of the task that wrote it, or to the project's."""
    sha256: str = field(validator=matches_re(r"[0-9a-f]{64}"))
    size: int = field(validator=ge(0))
    """Bytes; of a folder, those of all its files."""
    mode: int = 0o644
    kind: ArtifactKind = field(default="file", validator=in_(("file", "folder")))


@frozen(kw_only=True)
class Input:
    """What a task reads, as those see it who decide where it runs."""

    sha256: str
    """Empty for an object of a bucket that nobody has read yet."""
    size: int
    """Bytes; of a folder, those of all its files."""
    kind: ArtifactKind = "file"
    origin: str = ""
    """The task of this run that wrote it; empty for what lies at home from the beginning."""
    path: str = ""
    """What it is called: the path of a file of the project on this computer, the address of one that was fetched, and
    of what another task wrote ``in/`` with its path in the results. Empty where no observer wants to know.
    """
