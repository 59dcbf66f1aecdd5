# --- what the link tells

# Pass on what the server tells, and before each end all that was printed.
tell_all() {
    exec <"$link/out" 3>&- 2>/dev/null
    trap : PIPE
    followed=' ' offsets=' ' ticking=
    while IFS= read -r line; do
        case $line in
        '{'*) printf '%s\n' "$line" ;;
        tick) look_all ;;
        *)
            # shellcheck disable=SC2086  # words
            set -- $line
            case $1 in
            run)
                offset_of "$2"
                followed="$followed$2:$out:$err:$3:$4 "
                tick
                ;;
            still)
                offset_of "$2"
                forget "$2"
                followed="$followed$2:$out:$err:: "
                say_started "$2" "$3" "$4"
                tick
                ;;
            off) offsets="$offsets$2:$3:$4 " ;;
            end) tell_end "$2" "${line#"end $2"}" ;;
            esac
            ;;
        esac || break
    done
    rm -rf "$link"
    kill -TERM $$
}

say_started() {
    quote "$folder/$3"
    printf '{"event":"started","id":"%s","at":%s.%s,"workdir":"%s"}\n' "$1" "${2%??}" "${2#"${2%??}"}" "$quoted"
}

# Give how much of an attempt's output the controller has, and forget it.
offset_of() {
    out=0 err=0
    case $offsets in
    *" $1:"*) ;;
    *) return 0 ;;
    esac
    entry=${offsets##*" $1:"}
    entry=${entry%% *}
    offsets="${offsets%%" $1:"*} ${offsets##*" $1:$entry "}"
    out=${entry%:*} err=${entry#*:}
}

# Give how much was sent of an attempt that is followed, and follow it no more.
forget() {
    case $followed in
    *" $1:"*) ;;
    *) return 1 ;;
    esac
    entry=${followed#*" $1:"}
    entry=${entry%% *}
    followed="${followed%%" $1:"*} ${followed#*" $1:$entry "}"
}

tell_end() {
    offset_of "$1"
    if forget "$1"; then
        out=${entry%%:*} entry=${entry#*:}
        err=${entry%%:*}
    fi
    name_of "$1"
    for stream in out err; do
        if [ -s "logs/$name.$stream" ]; then
            eval "at=\$$stream"
            send_log "$1" "$stream" "$at" "$(stat -c %s "logs/$name.$stream")" || return 1
        fi
    done
    told=${2# }
    [ "$told" ] || { read -r _ && read -r _ told; } <"record/$name" || told=
    [ -z "$told" ] || printf '%s\n' "$told"
}

# Send what a log has between two offsets, in pieces.
send_log() {
    at=$3
    name_of "$1"
    while [ "$at" -lt "$4" ]; do
        length=$(($4 - at))
        [ "$length" -le "$CHUNK" ] || length=$CHUNK
        printf '{"event":"log","id":"%s","stream":"%s","at":%s,"base64":"' "$1" "$2" "$at"
        if [ "$at" = 0 ]; then
            head -c "$length" "logs/$name.$2"
        else
            dd if="logs/$name.$2" bs=65536 skip=$((at / 65536)) count=64 2>/dev/null | tail -c "+$((at % 65536 + 1))" |
                head -c "$length"
        fi | base64 | tr -d '\n'
        printf '"}\n' || return 1
        at=$((at + length))
    done
}

# Look at all logs in a moment, if nobody is about to.
tick() {
    [ -z "$ticking" ] || return 0
    ticking=yes
    (
        sleep "${1:-$SOON}"
        [ ! -p "$link/out" ] || echo tick 1<>"$link/out"
    ) </dev/null &
}

# Tell which attempts run, and send what is new of their output.
look_all() {
    ticking=
    set --
    for entry in $followed; do
        name_of "${entry%%:*}"
        set -- "$@" "logs/$name.out" "logs/$name.err"
    done
    [ $# != 0 ] || return 0
    sizes=$(stat -c '%n:%s' -- "$@")
    looked=$followed followed=' '
    for entry in $looked; do
        rest=$entry
        id=${rest%%:*} rest=${rest#*:}
        out=${rest%%:*} rest=${rest#*:}
        err=${rest%%:*} rest=${rest#*:}
        [ "$rest" = : ] || say_started "$id" "${rest%%:*}" "${rest#*:}" || return 1
        name_of "$id"
        for stream in out err; do
            eval "at=\$$stream"
            size=${sizes#*"logs/$name.$stream:"}
            size=${size%%[!0-9]*}
            [ "$((size - at))" -le "$CHUNK" ] || size=$((at + CHUNK))
            send_log "$id" "$stream" "$at" "$size" || return 1
            eval "$stream=\$at"
        done
        followed="$followed$id:$out:$err:: "
    done
    tick "$LOOK"
}
