"""How a spot machine of AWS finds out that it will be taken: its metadata service says so, two minutes before."""

from __future__ import annotations

import textwrap

__all__ = ["NOTICE"]

NOTICE = textwrap.dedent("""\
    #!/bin/sh
    # Asks the metadata service (version 2) of AWS whether this machine will be taken; prints when, or fails.
    base=http://169.254.169.254/latest
    what=$base/meta-data/spot/instance-action
    if command -v curl >/dev/null; then
        token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$base/api/token") || exit 1
        said=$(curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$what") || exit 1
    else
        said=$(python3 - "$base/api/token" "$what" <<'END'
    import sys
    from urllib.request import Request, urlopen
    def ask(url, method, name, value):
        return urlopen(Request(url, method=method, headers={name: value}), timeout=2).read().decode()
    token = ask(sys.argv[1], "PUT", "X-aws-ec2-metadata-token-ttl-seconds", "60")
    print(ask(sys.argv[2], "GET", "X-aws-ec2-metadata-token", token))
    END
        ) 2>/dev/null || exit 1
    fi
    at=${said##*'"time"'}
    at=${at#*'"'}
    date -u -d "${at%%'"'*}" +%s
    """)
"""For the watch of `longshore.plugin.boot`. What is said is ``{"action": "terminate", "time": "2017-09-18T08:22:00Z"}``
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html).
"""
