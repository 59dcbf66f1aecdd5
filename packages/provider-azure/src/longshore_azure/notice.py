"""How a spot machine of Azure finds out that it will be taken: its metadata service says so, 30 seconds before."""

from __future__ import annotations

import textwrap

__all__ = ["NOTICE"]

NOTICE = textwrap.dedent("""\
    #!/bin/sh
    # Asks Azure's metadata service whether this machine will be taken; prints when, or fails.
    exec python3 - 2>/dev/null <<'END'
    import json, sys, time
    from email.utils import parsedate_to_datetime
    from urllib.request import Request, urlopen
    what = "http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01"
    said = json.load(urlopen(Request(what, headers={"Metadata": "true"}), timeout=2))
    for event in said.get("Events", ()):
        if event.get("EventType") == "Preempt":
            at = event.get("NotBefore")
            print(int(parsedate_to_datetime(at).timestamp() if at else time.time() + 30))
            break
    else:
        sys.exit(1)
    END
    """)
"""For the watch of `longshore.plugin.boot`. The events are described at
https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events; all images of ours have Python, which
Azure's own agent needs.
"""
