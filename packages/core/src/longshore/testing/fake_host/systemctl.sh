#!/bin/sh
# As much of systemd as first boots ask for. The host's first process is sshd, which cannot be anything else besides.
units=/etc/systemd/system
start() {
    command=$(sed -n 's/^ExecStart=//p' "$units/$1")
    # shellcheck disable=SC2086  # words
    setsid $command </dev/null >/dev/null 2>&1 &
}
case $1 in
daemon-reload) ;;
start) start "$2" ;;
enable)
    shift
    [ "$1" = --now ] && shift
    mkdir -p "$units/multi-user.target.wants"
    ln -sf "$units/$1" "$units/multi-user.target.wants/$1"
    start "$1"
    ;;
try-reload-or-restart) [ "$2" = ssh.service ] && kill -HUP 1 ;;
poweroff)
    # The first process of all hears of nothing but what it has asked for, which it does when it has begun.
    while kill -TERM 1; do sleep 0.05; done
    ;;
*)
    echo "this host's systemctl does not know: $*" >&2
    exit 1
    ;;
esac
