# --- processes and times

# Give the hundredths of a second since 1970, by the clock since boot.
now() {
    read -r up _ </proc/uptime
    case $up in
    0.*) up=1.00 ;;
    esac
    now=$((clock + ${up%.*}${up#*.}))
}

# Give state, parent, group, session and start of a process; false when there is none.
look_at() {
    look_line=
    { while IFS= read -r look_part; do look_line=$look_line$look_part; done; } 2>/dev/null <"/proc/$1/stat" || return 1
    [ -n "$look_line" ] || return 1
    # shellcheck disable=SC2086  # fields
    set -- ${look_line##*) }
    state=$1 parent=$2 group=$3 session=$4 start=${20}
    case $state in
    [ZX]) return 1 ;;
    esac
}

# Say whether the process that was started then is still there.
lives() {
    [ "$3" = "$boot" ] && look_at "$1" && [ "$start" = "$2" ]
}

# Give all living processes of the attempt that has this mark and leader: those with its marker, those of its session
# or group, and what descends from them.
find_members() {
    members=' '
    set +f
    for each in $(cd /proc && grep -lsazxF -- "LONGSHORE_ID=$1" [0-9]*/environ); do
        members="$members${each%/environ} "
    done
    families=
    for each in /proc/[0-9]*; do
        each=${each#/proc/}
        if look_at "$each"; then
            if [ "$2" != 0 ] && { [ "$session" = "$2" ] || [ "$group" = "$2" ] || [ "$each" = "$2" ]; }; then
                case $members in *" $each "*) ;; *) members="$members$each " ;; esac
            fi
            families="$families $each:$parent"
        else
            case $members in *" $each "*) members="${members%%" $each "*} ${members#*" $each "}" ;; esac
        fi
    done
    set -f
    found=yes
    while [ "$found" ]; do
        found=
        for each in $families; do
            case $members in
            *" ${each%:*} "*) ;;
            *" ${each#*:} "*) members="$members${each%:*} " found=yes ;;
            esac
        done
    done
    members=${members# }
}

# Send a signal to what find_members gave.
signal() {
    for each in $members; do
        kill "-$1" "$each" 2>/dev/null
    done
}
