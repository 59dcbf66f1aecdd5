# --- processes and times

# Give the hundredths of a second since 1970, by the clock since boot.
now() {
    read -r up _ </proc/uptime
    case $up in
    0.*) up=1.00 ;;
    esac
    now=$((clock + ${up%.*}${up#*.}))
}

# Give number, state, parent, group, session and start of a process; false when there is none.
look_at() {
    look_line=
    { while IFS= read -r look_part; do look_line=$look_line$look_part; done; } 2>/dev/null <"/proc/$1/stat" || return 1
    [ -n "$look_line" ] || return 1
    pid=${look_line%% *}
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
# or group, and what descends from them. One whose name has a line end in it is found by its marker only.
find_members() {
    members=' ' families=''
    mark_here=$1 leader_here=$2
    set +f
    # shellcheck disable=SC2046  # fields
    set -- $(sed -n 's/^\([0-9]*\) (.*) \([^ZX]\) \([0-9]*\) \([0-9]*\) \([0-9]*\) .*/\1 \3 \4 \5/p' /proc/[0-9]*/stat \
        2>/dev/null)
    while [ $# -ge 4 ]; do
        families="$families $1:$2"
        case " $1 $3 $4 " in
        *" $leader_here "*) members="$members$1 " ;;
        esac
        shift 4
    done
    for each in $(grep -lszxF -- "LONGSHORE_ID=$mark_here" /proc/[0-9]*/environ); do
        each=${each#/proc/}
        each=${each%/*}
        case $members in
        *" $each "*) ;;
        *) [ ! -e "/proc/$each" ] || members="$members$each " ;;
        esac
    done
    set -f
    found=yes
    while [ "$found" ] && [ "$members" != ' ' ]; do
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
