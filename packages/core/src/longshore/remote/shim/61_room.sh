# --- what runs, and for what there is room

take_slot() {
    free_slots="${free_slots%%" $1 "*} ${free_slots#*" $1 "}"
}

# Enter an attempt that runs: slot, id, keeper, its start, thousandths of cores, bytes, GPUs, workdir.
enter() {
    running="$running$1 "
    eval "id_$1=\$2 pid_$1=\$3 start_$1=\$4 cpus_$1=\$5 memory_$1=\$6 gpus_$1=\$7 workdir_$1=\$8 at_$1="
    free_cpus=$((free_cpus - $5)) free_memory=$((free_memory - $6))
    [ "$slots" = - ] || slots=$((slots - 1))
}

# Give back what an attempt had, whose keeper is about to be over. bash looks through all that nobody has waited for
# whenever it starts another process.
give_back() {
    eval "wait \"\$pid_$1\"" 2>/dev/null
    running="${running%%" $1 "*} ${running#*" $1 "}"
    free_slots="$free_slots$1 "
    eval "free_cpus=\$((free_cpus + cpus_$1)) free_memory=\$((free_memory + memory_$1)) gpus=\$gpus_$1"
    [ -z "$gpus" ] || count_gpus
    [ "$slots" = - ] || slots=$((slots + 1))
    [ ! -e "tmp/why.$1" ] || rm -f "tmp/why.$1"
}

# Give the slot of a running attempt; false when it does not run.
slot_of() {
    for slot in $running; do
        eval "[ \"\$id_$slot\" = \"\$1\" ]" && return
    done
    return 1
}

# Say whether this attempt has this slot.
has_slot() {
    case $running in
    *" $1 "*) eval "[ \"\$id_$1\" = \"\$2\" ]" ;;
    *) return 1 ;;
    esac
}

# Give the name of an attempt's files; false when its id is none.
name_of() {
    case $1 in
    */*/*) ;;
    *) return 1 ;;
    esac
    name=${1#*/}
    name=${name%/*}.${name##*/}
    case $name in
    */* | .* | -* | *[!!-~]* | *[\"\\:]*) return 1 ;;
    esac
}

# Start as many of those that wait as there is room for, in their order.
admit() {
    while [ "$q_head" -lt "$q_tail" ]; do
        eval "order=\$q_$q_head"
        # shellcheck disable=SC2086  # words
        set -- $order
        if [ $# = 0 ]; then
            q_head=$((q_head + 1))
            continue
        fi
        # shellcheck disable=SC2086  # names
        [ "$2" -le "$free_cpus" ] && [ "$3" -le "$free_memory" ] && [ "$slots" != 0 ] && has_gpus "$4" $free_gpus || return
        unset "q_$q_head"
        q_head=$((q_head + 1))
        if [ "$free_slots" = ' ' ]; then
            free_slots=" $all_slots "
            all_slots=$((all_slots + 1))
        fi
        slot=${free_slots# }
        slot=${slot%% *}
        take_slot "$slot"
        take_gpus "$4"
        start_keeper "$slot" "$@"
    done
}

start_keeper() {
    slot=$1 id=$2 cpus=$3 memory=$4 timeout=$6 grace=$7 kept=${8#-}
    name_of "$id"
    shift 8
    keep "$slot" "$id" "$name" "$cpus" "$memory" "$gpus" "$timeout" "$grace" "$kept" "$@" &
    # When it began is in its record; before that is written it is a child of ours, and nobody else can be meant.
    enter "$slot" "$id" $! - "$cpus" "$memory" "$gpus" ''
}

# Say which GPUs are free.
count_gpus() {
    taken=,
    for each in $running; do
        eval "taken=\$taken\$gpus_$each,"
    done
    free_gpus=
    for each in $all_gpus; do
        case $taken in
        *",$each,"*) ;;
        *) free_gpus="$free_gpus$each " ;;
        esac
    done
}

has_gpus() {
    [ $(($# - 1)) -ge "$1" ]
}

# Take GPUs for an attempt: the first ones that are free.
take_gpus() {
    gpus=
    count=$1
    while [ "$count" -gt 0 ]; do
        gpus=$gpus${gpus:+,}${free_gpus%% *}
        free_gpus=${free_gpus#* }
        count=$((count - 1))
    done
}
