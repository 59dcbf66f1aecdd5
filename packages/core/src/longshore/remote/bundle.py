"""What runs on other computers as one file: ``python3 -I -S -X utf8 <file> <program> <folder>``.

The programs: ``supervise`` serves a folder; ``link`` joins its standard input and output to the supervisor of a folder,
and starts it if need be; ``exchange`` takes objects into a store and gives them out of it; ``lay`` lays objects of
a store into a folder; ``build`` builds an environment.

It is a zip archive of the modules that are meant to be sent, which Python can execute; equal modules give equal bytes.
"""

from __future__ import annotations

import io
import os
import zipfile

__all__ = ["MODULES", "build_bundle"]

MODULES = (
    "arriving",
    "attempt",
    "bell",
    "build_fetching",
    "build_packages",
    "build_python",
    "build_relay",
    "build_work",
    "builder",
    "calls",
    "closing",
    "collecting",
    "computer",
    "containers",
    "copying",
    "digest",
    "exchange",
    "following",
    "forgetting",
    "helpers",
    "ignoring",
    "laid",
    "launcher",
    "laying",
    "lending",
    "limits",
    "links",
    "logs",
    "measuring",
    "nearby",
    "neighbours",
    "notices",
    "orphans",
    "packing",
    "peering",
    "places",
    "processes",
    "protocol",
    "record",
    "recovery",
    "relay",
    "room",
    "services",
    "software",
    "staging",
    "starting",
    "store",
    "stream",
    "supervisor",
    "walking",
    "watch",
    "worker",
    "workers",
)
"""What is sent. Each needs nothing but the standard library and the others."""

_MAIN = b"""import sys

program, folder = sys.argv[1:]
if program == "supervise":
    from longshore.remote.supervisor import main

    main(folder)
elif program == "link":
    from longshore.remote.relay import relay

    relay(folder, sys.argv[0])
elif program == "build":
    from longshore.remote.builder import main

    sys.exit(main(folder))
elif program == "exchange":
    from longshore.remote.exchange import exchange

    exchange(folder)
elif program == "lay":
    from longshore.remote.laying import main

    main(folder)
else:
    sys.exit("there is no program " + program)
"""
_DATE = (1980, 1, 1, 0, 0, 0)


def build_bundle() -> bytes:
    """Pack the supervisor."""
    here = os.path.dirname(os.path.abspath(__file__))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("__main__.py", _MAIN),
            ("longshore/__init__.py", b""),
            ("longshore/remote/__init__.py", b""),
        ):
            archive.writestr(_entry(name), content)
        for module in MODULES:
            with open(os.path.join(here, module + ".py"), "rb") as file:
                archive.writestr(_entry("longshore/remote/%s.py" % module), file.read())
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
