# --- what is used, measured while somebody looks

# Tell what is used every so many seconds from now on; never when that is 0.
measure() {
    every=$1 measured=$((measured + 1))
    [ "$every" != 0 ] || return 0
    look_at_use
    measure_after "$LOOK"
}

measure_after() {
    (
        exec 4>&-
        sleep "$1"
        echo "measure $measured" >&3
    ) &
}

# Take a ring that says it is time, if it is of the latest wish.
tell_use() {
    [ "$1" = "$measured" ] && [ "$every" != 0 ] || return 0
    busy_before=$busy before=$use_at
    for slot in $running; do
        eval "before_$slot=\"\$use_$slot\""
    done
    look_at_use
    span=$((use_at - before))
    [ "$span" -gt 0 ] || span=1
    rows=
    for slot in $running; do
        eval "id=\$id_$slot ticks=\$ticks_$slot pages=\$pages_$slot earlier=\$before_$slot"
        rate=null
        [ "${earlier% *}" != "$id" ] || rate_of $((ticks - ${earlier##* }))
        rows="$rows${rows:+,}[\"$id\",$rate,$((pages * page)),null]"
    done
    rate_of $((busy - busy_before))
    tell "{\"event\":\"beat\",\"cpus\":$rate,\"memory\":$memory_use,\"disk\":$disk_use,\"attempts\":[$rows]}"
    measure_after "$every"
}

# Give cores from hundredths of seconds of their time.
rate_of() {
    rate=$(($1 * 1000 / span))
    [ "$rate" -ge 0 ] || rate=0
    rate_rest=$((rate % 1000 + 1000))
    rate=$((rate / 1000)).${rate_rest#1}
}

# Look once: at the machine, and at the sessions that keepers have begun.
look_at_use() {
    now
    use_at=$now
    read -r _ user nice system _ _ hard soft stolen _ </proc/stat
    busy=$((user + nice + system + hard + soft + stolen))
    memory_use=null all_kib='' free_kib=''
    while read -r name kib _; do
        case $name in
        MemTotal:) all_kib=$kib ;;
        MemAvailable:) free_kib=$kib && break ;;
        esac
    done </proc/meminfo
    [ -z "$free_kib" ] || memory_use="[$(((all_kib - free_kib) * 1024)),$((all_kib * 1024))]"
    disk_use=$(df -Pk . 2>/dev/null) && disk_use=${disk_use##*
}
    # shellcheck disable=SC2086  # fields
    set -- $disk_use
    disk_use=null
    [ $# -lt 4 ] || disk_use="[$((($2 - $4) * 1024)),$(($2 * 1024))]"
    keepers=' '
    for slot in $running; do
        eval "keepers=\"\$keepers\$pid_$slot:$slot \" ticks_$slot=0 pages_$slot=0"
    done
    [ "$keepers" = ' ' ] || add_up
    for slot in $running; do
        eval "use_$slot=\"\$id_$slot \$ticks_$slot\""
    done
}

# Add up what the processes of each session have used, and hold.
add_up() {
    set +f
    use_table=$(sed -n "$USE_FIELDS" /proc/[0-9]*/stat 2>/dev/null)
    set -f
    sessions=' '
    # shellcheck disable=SC2086  # fields
    set -- $use_table
    while [ $# -ge 8 ]; do
        case "$1 $keepers" in
        "$3 "*" $2:"*)
            slot=${keepers#*" $2:"}
            sessions="$sessions$3:${slot%% *} "
            ;;
        esac
        shift 8
    done
    # shellcheck disable=SC2086  # fields
    set -- $use_table
    while [ $# -ge 8 ]; do
        case $sessions in
        *" $3:"*)
            slot=${sessions#*" $3:"}
            slot=${slot%% *}
            eval "ticks_$slot=\$((ticks_$slot + $4 + $5 + $6 + $7)) pages_$slot=\$((pages_$slot + $8))"
            ;;
        esac
        shift 8
    done
}

# Of a process: its number, parent and session, its time and its children's, and its pages.
USE_FIELDS='s/^\([0-9]*\) (.*) [^ZX] \([0-9]*\) [-0-9]* \([0-9]*\) [-0-9]* [-0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* '\
'\([0-9]*\) \([0-9]*\) \([-0-9]*\) \([-0-9]*\) [-0-9]* [-0-9]* [-0-9]* [-0-9]* [0-9]* [0-9]* \([0-9]*\) .*/'\
'\1 \2 \3 \4 \5 \6 \7 \8/p'
