"""What a rented machine does when it boots the first time, the same on every cloud: one POSIX sh script as root.

It lets our keys log in, sets the two times up by which the machine ends itself, and then executes what the executor and
the user have added. All texts in it are data: they are decoded from base64, never pasted into shell text.
"""

from __future__ import annotations

import base64
import re
import textwrap
from datetime import timedelta

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec

__all__ = ["BEAT_FILE", "OVER_FILE", "WATCH", "first_boot"]

BEAT_FILE = "/run/longshore/beat"
"""Whoever attends to the machine makes this file; the machine takes it away and counts anew."""
OVER_FILE = "/run/longshore/over"
"""Whoever makes this file says that nothing is left to be done here: the machine ends itself."""

WATCH = textwrap.dedent("""\
    #!/bin/sh
    # Ends this machine at its end time, when nobody has attended to it for too long, or when a program here says that
    # nothing is left to be done. The machine alone looks: it needs no rights in the cloud, and nobody else has to live.
    ends_at=$1 unattended=$2 beat=$3 every=$4 user=$5 notice=${6-} finally=${7-}
    mkdir -p "${beat%/*}" && chown "$user" "${beat%/*}"
    # The user must not be able to put a link in the way of what root writes.
    told=${beat%/*}-notice
    [ -z "$notice" ] || mkdir -p "$told"
    uptime_seconds() {
        read -r now rest </proc/uptime
        now=${now%%.*}
    }
    end() {
        logger -t longshore "this machine ends itself: $1" 2>/dev/null
        [ -z "$finally" ] || timeout 90 "$finally"
        poweroff || systemctl poweroff || shutdown -h now || poweroff -f
    }
    uptime_seconds
    last=$now
    while :; do
        if [ -e "$beat" ]; then
            rm -f "$beat"
            uptime_seconds
            last=$now
        fi
        uptime_seconds
        [ "$(date +%s)" -lt "$ends_at" ] || end "its end time has come"
        [ $((now - last)) -lt "$unattended" ] || end "nobody has attended to it for $unattended seconds"
        [ ! -e "${beat%/*}/over" ] || end "all that it was rented for is done"
        if [ -n "$notice" ] && at=$("$notice" 2>/dev/null); then
            echo "$at" >"$told/new" && mv "$told/new" "$told/notice"
            notice=
        fi
        sleep "$every"
    done
    """)
"""The machine's own watch: ``longshore-watch ENDS_AT UNATTENDED BEAT_FILE EVERY USER [NOTICE [FINALLY]]``, in seconds
(since 1970, or long). The user owns the folder of the beat file, which is made anew after each boot. NOTICE is a
program that succeeds, and prints when, as soon as the cloud has said that it will take the machine; the time is written
to the file ``notice`` in a folder beside that of the beat file, for whoever runs things here. FINALLY is a program that
is executed before the machine powers itself off, which it does whatever becomes of that.
"""

_UNIT = textwrap.dedent("""\
    [Unit]
    Description=Ends this rented machine in time

    [Service]
    ExecStart=/bin/sh {watch} {arguments}
    Restart=always
    RestartSec=5

    [Install]
    WantedBy=multi-user.target
    """)
_WATCH_FILE = "/usr/local/sbin/longshore-watch"
_NOTICE_FILE = "/usr/local/sbin/longshore-notice"
_FINALLY_FILE = "/usr/local/sbin/longshore-finally"
_UNIT_FILE = "/etc/systemd/system/longshore-watch.service"
_PART_FOLDER = "/var/lib/longshore/boot"
_EVERY = timedelta(seconds=15)
_EVERY_NOTICE = timedelta(seconds=5)
"""Clouds give two minutes, or half of one."""
_LOOKS = 8
"""A machine looks at least so often within its unattended time: what attends to it does so four times."""
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_LONGEST = 16384
"""Bytes of user data that every cloud takes."""


def first_boot(
    spec: MachineSpec,
    *,
    user: str,
    scripts: tuple[str, ...] = (),
    notice: str = "",
    finally_: str = "",
    longest: int = _LONGEST,
) -> str:
    """Write the script for a machine, whose login user is ``user``; equal arguments give equal scripts (law P2).

    ``scripts`` and then ``spec.boot_script`` are executed last, each as a program of its own; one that fails harms
    nothing that comes after it. Whoever can log in by what the executor has added finds all else done. ``notice`` is a
    program that the machine's watch asks every few seconds whether its cloud will take it, and ``finally_`` one that it
    executes before it powers the machine off, as `WATCH` says.

    Raises:
        InvalidRequest: when a name or key cannot be right, or all is more than ``longest`` bytes.
    """
    if not _USER.fullmatch(user):
        raise InvalidRequest(f"{user!r} is no name of a login user; use small letters, digits, '-' and '_'")
    seconds = int(spec.unattended.total_seconds())
    every = max(1, int(min(_EVERY_NOTICE if notice else _EVERY, spec.unattended / _LOOKS).total_seconds()))
    arguments = f"{int(spec.ends_at.timestamp())} {seconds} {BEAT_FILE} {every} {user}"
    if notice or finally_:
        arguments = f"{arguments} {_NOTICE_FILE if notice else 'false'}"
    if finally_:
        arguments = f"{arguments} {_FINALLY_FILE}"
    unit = _UNIT.format(watch=_WATCH_FILE, arguments=arguments)
    lines = [
        "#!/bin/sh",
        "umask 022",
        "mkdir -p /usr/local/sbin /var/lib/longshore",
        _write(_WATCH_FILE, WATCH, "0755"),
        *([_write(_NOTICE_FILE, notice, "0755")] if notice else []),
        *([_write(_FINALLY_FILE, finally_, "0700")] if finally_ else []),
        _user(user),
        # The watch comes first: whatever fails after it, the machine ends.
        "if [ -d /run/systemd/system ]; then",
        _write(_UNIT_FILE, unit, "0644"),
        "systemctl daemon-reload; systemctl enable --now longshore-watch.service",
        "else",
        f"setsid sh {_WATCH_FILE} {arguments} </dev/null >/dev/null 2>&1 &",
        "fi",
        *_login(user, spec.keys),
        "umask 077",
        f"mkdir -p {_PART_FOLDER}",
    ]
    for number, script in enumerate(part for part in (*scripts, spec.boot_script) if part):
        place = f"{_PART_FOLDER}/{number}"
        lines += [_write(place, script, "0700"), f"(umask 022; exec {place})", f"rm -f {place}"]
    text = "\n".join([*lines, f"touch {_PART_FOLDER}/done", ""])
    if len(text.encode()) > longest:
        raise InvalidRequest(
            f"the first-boot data takes {len(text.encode())} bytes, and the cloud takes {longest}; "
            "shorten the boot script, or let it fetch the rest"
        )
    return text


def _user(user: str) -> str:
    """Make the login user when the image lacks it."""
    return f"id -u {user} >/dev/null 2>&1 || useradd -m -s /bin/sh -p '*' {user}"


def _login(user: str, keys: tuple[str, ...]) -> list[str]:
    """Let keys log in as a user."""
    for key in keys:
        if not key.isprintable() or len(key.split()) < 2:
            raise InvalidRequest(f"{key[:40]!r} is no public key; give one line as in authorized_keys")
    text = "".join(f"{key}\n" for key in keys)
    return [
        f"home=$(getent passwd {user} | cut -d: -f6)",
        'mkdir -p "$home/.ssh"',
        f'printf %s {_encode(text)} | base64 -d >>"$home/.ssh/authorized_keys"',
        'chmod 0700 "$home/.ssh"; chmod 0600 "$home/.ssh/authorized_keys"',
        f'chown -R {user} "$home/.ssh"',
    ]


def _write(place: str, content: str, mode: str) -> str:
    return f"printf %s {_encode(content)} | base64 -d >{place}; chmod {mode} {place}"


def _encode(content: str) -> str:
    return base64.b64encode(content.encode()).decode()
