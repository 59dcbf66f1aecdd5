"""How a program of ours begins by the Python of another computer: what a shell there executes, and what is sent then.

Standard library only, as all that knows what is sent.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache

from longshore.remote.bundle import build_bundle

__all__ = ["CHECK", "LOADER", "NAMES", "bundle", "order", "starter"]

_NEEDED = "errno,fcntl,hashlib,heapq,json,os,select,signal,socket,struct,sys,zipimport,zlib"
CHECK = "import %s;sys.exit(sys.version_info<(3,8))" % _NEEDED
"""Ends with 0 when a Python will do."""
LOADER = (
    "import os,sys;n=int(sys.argv[1]);s=[];"
    r"exec(\"while n:s.append(os.read(0,n)or os._exit(1));n-=len(s[-1])\");"
    r"exec(b\"\".join(s))"
)
"""Reads the starter and executes it; written without a line end, for -c between double quotes of a shell. A computer
that hangs up meanwhile ends it.
"""
NAMES = ("python3", *("python3.%d" % minor for minor in range(15, 7, -1)))
"""What a Python may be called that will do."""


def order(folder: str, program: str, place: str) -> bytes:
    """Write what the starter reads: where our folder is, and which program serves which place below it."""
    content, digest = bundle()
    asked = {"folder": folder, "digest": digest, "size": len(content), "program": program, "place": place}
    text = json.dumps(asked).encode("ascii")
    return starter() + b"%08d" % len(text) + text


@lru_cache(maxsize=1)
def bundle() -> tuple[bytes, str]:
    """Give what is sent where it is not there yet, and its digest."""
    content = build_bundle()
    return content, hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=1)
def starter() -> bytes:
    """Give the text of `longshore.remote.starter`."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "starter.py"), "rb") as file:
        return file.read()
