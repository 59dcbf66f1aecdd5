"""How a spot machine of Google finds out that it will be taken: its metadata service says so, 30 seconds before."""

from __future__ import annotations

import textwrap

__all__ = ["NOTICE"]

NOTICE = textwrap.dedent("""\
    #!/bin/sh
    # Asks Google's metadata service whether this machine will be taken; prints when, or fails.
    what=http://169.254.169.254/computeMetadata/v1/instance/preempted
    if command -v curl >/dev/null; then
        said=$(curl -sf -m 2 -H 'Metadata-Flavor: Google' "$what") || exit 1
    else
        said=$(python3 - "$what" <<'END'
    import sys
    from urllib.request import Request, urlopen
    print(urlopen(Request(sys.argv[1], headers={"Metadata-Flavor": "Google"}), timeout=2).read().decode())
    END
        ) 2>/dev/null || exit 1
    fi
    [ "$said" = TRUE ] || exit 1
    echo $(($(date +%s) + 30))
    """)
"""For the watch of `longshore.plugin.boot`. What is said is TRUE or FALSE
(https://cloud.google.com/compute/docs/instances/create-use-spot#handle-preemption).
"""
