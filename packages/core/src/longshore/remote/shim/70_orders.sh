# --- what the controller says

go() {
    if ! name_of "$1"; then
        tell '{"event":"problem","text":"there is an order whose id is none"}'
        return
    fi
    slot_of "$1" && return
    # shellcheck disable=SC2086  # names
    if [ "$2" -gt "$all_cpus" ] || [ "$3" -gt "$all_memory" ] || ! has_gpus "$4" $all_gpus; then
        lost="it needs $2 thousandths of a core, $3 bytes of memory and $4 gpus, and this machine has $all_cpus, \
$all_memory and '${all_gpus% }' in all"
        end_unbegun "$1" "\"lost\":\"$lost\",\"failure\":\"capacity\",\"evidence\":\"$lost\""
        return
    fi
    eval "q_$q_tail=\$*"
    q_tail=$((q_tail + 1))
}

# Record and tell the end of an attempt that was never begun.
end_unbegun() {
    name_of "$1" || return
    now
    told="{\"event\":\"ended\",\"id\":\"$1\",$2,\"ended\":${now%??}.${now#"${now%??}"}}"
    set -C
    { printf 'begun %s 0 0 - 0 0 0 - -\nended %s\n' "$1" "$told" >"record/$name"; } 2>/dev/null
    set +C
    tell "end $1"
}

take_blob() {
    case $1 in
    *[!0-9a-f]*) return ;;
    esac
    [ -e "blobs/$1" ] && return
    # shellcheck disable=SC2015  # either way it is told
    printf %s "$2" | base64 -d >"blobs/$1.new" && mv "blobs/$1.new" "blobs/$1" ||
        tell '{"event":"problem","text":"a script cannot be written"}'
}

cancel() {
    for id in "$@"; do
        if slot_of "$id"; then
            [ -e "tmp/why.$slot" ] || stop cancelled
            continue
        fi
        each=$q_head
        while [ "$each" -lt "$q_tail" ]; do
            eval "order=\${q_$each}"
            if [ "${order%% *}" = "$id" ]; then
                eval "q_$each="
                end_unbegun "$id" '"cancelled":true'
            fi
            each=$((each + 1))
        done
    done
}

# Let the keeper of a slot end its attempt. One that has not begun yet finds why when it does.
stop() {
    echo "$1" >"tmp/why.$slot"
    eval "id=\$id_$slot pid_now=\$pid_$slot"
    name_of "$id"
    [ ! -s "record/$name" ] || kill -TERM "$pid_now" 2>/dev/null
}

adopt() {
    check
    for id in "$@"; do
        name_of "$id" || continue
        if slot_of "$id"; then
            eval "at=\$at_$slot workdir=\$workdir_$slot"
            [ -z "$at" ] || tell "still $id $at $workdir"
        elif [ -s "record/$name" ]; then
            tell "end $id"
        elif ! is_waiting "$id"; then
            tell "{\"event\":\"ended\",\"id\":\"$id\",\"lost\":\"never started\",\"failure\":\"machine lost\",\"never\":true}"
        fi
    done
}

# Name all attempts that are known: those that run or wait, and those whose ends are recorded.
survey() {
    check
    for slot in $running; do
        eval "name_known \"\$id_$slot\" false"
    done
    each=$q_head
    while [ "$each" -lt "$q_tail" ]; do
        eval "order=\${q_$each}"
        [ -z "$order" ] || name_known "${order%% *}" false
        each=$((each + 1))
    done
    set +f
    for each in record/*; do
        set -f
        [ ! -e "$each" ] || read -r _ id _ <"$each"
        case " $spent " in
        *" $each "*) continue ;;
        esac
        [ ! -e "$each" ] || slot_of "$id" || name_known "$id" true
    done
    set -f
    tell '{"event":"surveyed"}'
}

name_known() {
    tell "{\"event\":\"known\",\"id\":\"$1\",\"over\":$2}"
}

is_waiting() {
    each=$q_head
    while [ "$each" -lt "$q_tail" ]; do
        eval "order=\${q_$each}"
        [ "${order%% *}" != "$1" ] || return 0
        each=$((each + 1))
    done
    return 1
}

# Forget attempts that are over: a flag for removing folders that were kept, then ids.
release() {
    folders=$1
    shift
    for id in "$@"; do
        if name_of "$id" && ! slot_of "$id" && [ -e "record/$name" ]; then
            spent="$spent record/$name logs/$name.out logs/$name.err"
            [ "$folders" = 0 ] || remove "work/$name"
        fi
    done
    [ ${#spent} -lt 8000 ] && [ "$running" != ' ' ] || remove_spent
}

# Remove the files of attempts that were released: many at once, since a process costs more than what it removes.
remove_spent() {
    # shellcheck disable=SC2086  # names
    [ -z "$spent" ] || rm -f $spent
    spent=
}

# Remove objects from the store, but for those that attempts have written which are not released.
discard() {
    remove_spent
    set +f
    {
        echo - # without any line, some greps find everything
        grep -hos '[0-9a-f]\{64\}' record/*
        for sha in $(grep -hos '"[0-9a-f]\{64\}",[0-9]*,[0-9]*,"folder"' record/* | grep -o '[0-9a-f]\{64\}'); do
            grep -os '[0-9a-f]\{64\}' "$store/objects/${sha%"${sha#??}"}/$sha"
        done
    } >tmp/claimed
    set -f
    for sha in $(printf '%s\n' "$@" | grep -vxFf tmp/claimed); do
        case $sha in
        *[!0-9a-f]*) ;;
        *) printf '%s\n' "$store/objects/${sha%"${sha#??}"}/$sha" ;;
        esac
    done | tr '\n' '\0' | xargs -0 -r rm -f
    tell '{"event":"discarded"}'
}

# --- what happens

announce() {
    [ $# = 5 ] && slot_of "$3" || return
    eval "at_$slot=\$4 workdir_$slot=\$5"
    tell "run $3 $4 $5"
}

# Take note that a keeper is over.
over() {
    has_slot "$2" "$3" || return
    give_back "$2"
    count_kills_after "$line"
    shift 2
    tell "end $*"
}

count_kills_after() {
    case $1 in
    *'"out of memory"'*)
        count_kills
        kills_before=$kills
        ;;
    esac
}

# Take note that an attempt was begun before. When it is over, its end is told again.
known() {
    has_slot "$1" "$2" || return
    give_back "$1"
    slot_of "$2" || tell "end $2"
}

# See whether the keepers live, and whether somebody attends.
check() {
    remove_spent
    for slot in $running; do
        eval "id=\$id_$slot pid_now=\$pid_$slot start_now=\$start_$slot"
        if [ "$start_now" = - ]; then
            look_at "$pid_now" || start=-
            start_now=$start
            eval "start_$slot=\$start"
        fi
        lives "$pid_now" "$start_now" "$boot" || mourn
    done
    now
    [ $((now - attended)) -le $((unattended * 100)) ] || abandon
}

# A keeper has gone: what it has written down is in the ring, or it was killed.
mourn() {
    name_of "$id"
    line=
    over=
    { read -r line && IFS= read -r over; } 2>/dev/null <"record/$name"
    case $over in
    'ended {'*'}') return ;;
    esac
    # shellcheck disable=SC2086  # fields
    set -- $line
    [ $# = 10 ] || set -- begun "$id" 0 0 "$boot" "$slot" 0 0 - "work/.spare-$slot"
    bury "$slot" "$id" "${10}" "$boot" 'its keeper was killed while it ran, so nobody knows how it ended' &
    look_at $!
    eval "pid_$slot=\$! start_$slot=\$start"
}

abandon() {
    q_head=$q_tail
    leaving=yes
    for slot in $running; do
        [ -e "tmp/why.$slot" ] ||
            stop "ended because no controller had attended to it for $unattended seconds"
    done
}

# Look for the file by which the machine's own watch says that its cloud will take it, where there is such a watch.
listen_for_notice() {
    notice=${beat_file%/*}-notice/notice
    [ -d "${notice%/*}" ] && [ -z "$listener" ] || return 0
    (
        exec 4>&-
        trap 'kill "$nap"; exit' TERM
        until [ -s "$notice" ]; do
            lives "$server" "$server_start" "$boot" || exit
            sleep "$SEEK" &
            nap=$!
            wait "$nap"
        done
        echo notice >&3
    ) &
    listener=$!
}

# Tell that the machine will be taken away, and once ask those to end that wanted to be asked.
hear_notice() {
    at=
    read -r at 2>/dev/null <"$notice"
    at=${at%%.*}
    case $at in
    '' | 0* | *[!0-9]*) return ;;
    esac
    tell "{\"event\":\"notice\",\"at\":$at}"
    [ ! -e tmp/noticed ] || return 0
    true >tmp/noticed
    for slot in $running; do
        [ -e "tmp/warn.$slot" ] || continue
        true >"tmp/warned.$slot"
        eval "id=\$id_$slot"
        find_members "$id@$folder" -
        signal TERM
    done
}
