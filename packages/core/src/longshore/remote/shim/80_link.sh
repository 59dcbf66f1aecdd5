# --- the link

link() {
    fresh=true
    held_fence=0
    lacking=
    for each in $TOOLS; do
        command -v "$each" >/dev/null || lacking="$lacking $each"
    done
    [ -z "$lacking" ] || unlinked "this machine lacks$lacking, which work without Python needs; install coreutils, \
findutils, util-linux, sed, grep and tar, or busybox"
    [ -r /proc/self/stat ] || unlinked 'this machine has no /proc, which work without Python needs'
    case $1 in
    *'
'*) unlinked 'the name of the folder has a line end in it' ;;
    esac
    script=$(readlink -f "$0")
    problem=$( (mkdir -p "$1" && cd "$1" && mkdir -p record work logs blobs tmp) 2>&1) || unlinked "$problem"
    cd "$1" && folder=$(pwd -P) && link=link.$$ || exit
    [ -p ring ] || problem=$(mkfifo ring 2>&1) || [ -p ring ] || unlinked "$problem"
    problem=$( (rm -rf "$link" && mkdir "$link" && mkfifo "$link/out" "$link/ready") 2>&1) || unlinked "$problem"
    read -r boot <"${LONGSHORE_BOOT_FILE:-/proc/sys/kernel/random/boot_id}"
    newest_claim
    [ "$newest" = 0 ] || ! lives "$held_pid" "$held_start" "$held_boot" || fresh=false
    quote "$(tail -c 2000 trouble 2>/dev/null)"
    printf '{"event":"linked","fresh":%s,"fence":%s,"trouble":"%s"}\n' "$fresh" "$held_fence" "$quoted"
    IFS= read -r line || line=
    # shellcheck disable=SC2086  # words
    set -- $line
    if [ "${1-}" != =open ] || [ "$2" != "$VERSION" ]; then
        rm -rf "$link"
        printf '{"event":"refused","fence":%s,"reason":"this shim speaks version %s"}\n' "$held_fence" "$VERSION"
        exit
    fi
    exec 3<>ring
    tell_all &
    teller=$!
    start_server "$3" "$4"
    # Until the server before is gone, it would hear what is not for it.
    read -r _ <"$link/ready"
    while IFS= read -r line; do
        printf '%s %s\n' "$link" "$line" >&3
    done
    echo "$link gone" >&3
    wait "$teller"
}

unlinked() {
    quote "$1"
    printf '{"event":"unlinked","reason":"%s","trouble":""}\n' "$quoted"
    exit 1
}

# Start a server of its own session by the same shell; when it is gone, nobody waits for it to open the link.
start_server() {
    shell=$(readlink "/proc/$$/exe")
    case $shell in
    */busybox*) set -- "$1" "$2" "$shell" sh ;;
    *) set -- "$1" "$2" "$shell" ;;
    esac
    [ ! -e trouble ] || [ "$(stat -c %s trouble)" -lt 1000000 ] || : >trouble
    (
        umask "$old_umask"
        if [ "$had_locale" ]; then LC_ALL=$old_locale; else unset LC_ALL; fi
        fence=$1 unattended=$2
        shift 2
        setsid "$@" "$script" serve "$folder" "$link" "$fence" "$unattended"
        [ ! -p "$link/out" ] || : 1<>"$link/out" 2<>"$link/ready"
    ) </dev/null >/dev/null 2>>trouble 3>&- &
}
