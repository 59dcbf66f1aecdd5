# --- the server

serve() {
    cd "$1" || exit
    folder=$1 link=$2 fence=$3 unattended=$4 generation=0
    trap : PIPE
    # shellcheck disable=SC2094  # a pipe
    exec 3<>ring 4>"$link/out"
    read_machine
    claim
    echo >"$link/ready"
    recover
    guard &
    guard=$!
    printf '{"event":"hello","version":%s,"pid":%s}\n' "$VERSION" "$server" >&4
    serve_on
}

# Learn what does not change while we live.
read_machine() {
    read -r boot <"${LONGSHORE_BOOT_FILE:-/proc/sys/kernel/random/boot_id}"
    clock=0
    now
    clock=$(($(date +%s) * 100 - now))
    now
    attended=$now
    setsid=$(command -v setsid) env=$(command -v env)
    clean='' base_env='' beat_file='' all_gpus='' free_gpus='' free_cpus=0 free_memory=0 slots=- store=''
    running=' ' free_slots=' ' all_slots=0 q_head=0 q_tail=0 buffer='' leaving='' run_over=0 spent='' listener=''
    every=0 measured=0
    page=$(getconf PAGESIZE 2>/dev/null) || page=4096
    count_kills
    kills_before=$kills
    find_reaper
}

# Give the process that becomes the parent of what attempts leave behind, by leaving one behind; nothing where its
# children are not told.
find_reaper() {
    reaper=$(
        look_at self
        middle=$pid
        {
            while look_at self && [ "$parent" = "$middle" ]; do :; done
            echo "$parent"
        } &
    )
    [ -r "/proc/$reaper/task/$reaper/children" ] || reaper=
}

# Become the newest server, unless one with a higher fence has been here, and end the one before.
claim() {
    look_at self
    server=$pid server_start=$start
    printf '%s %s %s %s\n' "$server" "$start" "$boot" "$fence" >"tmp/claim.$server"
    while :; do
        newest_claim
        if [ "$held_fence" -gt "$fence" ]; then
            rm -f "tmp/claim.$server"
            refuse
        fi
        generation=$((newest + 1))
        ln "tmp/claim.$server" "claim.$generation" 2>/dev/null && break
        [ -e "claim.$generation" ] || exit
    done
    rm -f "tmp/claim.$server" "claim.$newest"
    while [ "$held_pid" != 0 ] && lives "$held_pid" "$held_start" "$held_boot"; do
        kill -KILL "$held_pid"
        sleep "$SOON"
    done
}

# Give what the newest server has written down of itself; zeros when there was none.
newest_claim() {
    newest=0 held_pid=0 held_start=0 held_boot=- held_fence=0
    set +f
    for each in claim.*; do
        [ "${each#claim.}" = '*' ] || [ "${each#claim.}" -lt "$newest" ] || newest=${each#claim.}
    done
    set -f
    [ "$newest" = 0 ] || read -r held_pid held_start held_boot held_fence <"claim.$newest"
}

refuse() {
    printf '{"event":"refused","fence":%s,"reason":"a newer controller has taken this run over"}\n' "$held_fence" >&4
    exit
}

# Take up what the servers before us have begun. Attempts whose keeper lives go on; of the others nobody knows how they
# end, so that is told as soon as nothing of them is left.
recover() {
    set +f
    for each in record/*; do
        set -f
        [ -e "$each" ] || continue
        name=${each#record/}
        over=
        { read -r line && IFS= read -r over; } <"$each"
        case $over in
        'ended {'*'}') continue ;;
        esac
        # shellcheck disable=SC2086  # fields
        set -- $line
        if [ $# != 10 ]; then
            rm -f "$each" # it never began: the disk was full
            continue
        fi
        take_up "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "${10}"
    done
    set -f
}

take_up() {
    while [ "$all_slots" -le "$5" ]; do
        free_slots="$free_slots$all_slots "
        all_slots=$((all_slots + 1))
    done
    take_slot "$5"
    gpus=$8
    [ "$gpus" != - ] || gpus=
    if lives "$2" "$3" "$4"; then
        enter "$5" "$1" "$2" "$3" "$6" "$7" "$gpus" "$9"
        eval "at_$5=$((clock + start))"
        return
    fi
    reason='its keeper was killed while it ran, so nobody knows how it ended'
    [ "$4" = "$boot" ] || reason='the computer was started anew while it ran'
    bury "$5" "$1" "$9" "$4" "$reason" &
    look_at $!
    enter "$5" "$1" "$!" "$start" "$6" "$7" "$gpus" "$9"
    eval "at_$5="
}

# End what is left of an attempt whose keeper is dead, then tell that it is lost.
bury() {
    exec 4>&-
    trap 'forced=yes' ALRM
    slot=$1 id=$2 workdir=$3 lost=$5 evidence=$5
    name_of "$id"
    failure='machine lost' code='' cancelled='' own=yes kept='' rows='' ended='' ending='' forced='' grace=5 never='' warn=yes unwritten=''
    mark=$id@$folder leader=-
    [ "$4" != "$boot" ] || end_rest
    no_more "$ending"
    finish
}

# Ring now and then; when the server was killed, be the server until a controller comes.
guard() {
    exec 4>&-
    trap 'kill "$nap"; exit' TERM
    pause=$((unattended / 4))
    [ "$pause" -lt 30 ] || pause=30
    [ "$pause" -gt 0 ] || pause=1
    while lives "$server" "$server_start" "$boot"; do
        sleep "$pause" &
        nap=$!
        wait "$nap"
        echo guard >&3
    done
    newest_claim
    [ "$newest" = "$generation" ] || exit
    trap - TERM
    trap : PIPE
    link=
    read_machine
    claim
    recover
    leaving=yes
    guard &
    guard=$!
    serve_on
}

# Do what is said in the ring until nothing is left to do.
serve_on() {
    while [ "$link" ] || [ "$running" != ' ' ] || [ "$q_head" -lt "$q_tail" ]; do
        if [ "$leaving" ]; then
            [ "$running" != ' ' ] || [ "$q_head" -lt "$q_tail" ] || break
            [ -z "$link" ] || part
        fi
        IFS= read -r line <&3 || exit
        # shellcheck disable=SC2086  # words
        set -- $line
        case ${1-} in
        run)
            announce "$@"
            continue # what has begun makes no room
            ;;
        over) over "$@" ;;
        known) known "$2" "$3" ;;
        guard) check ;;
        measure) tell_use "$2" ;;
        notice) hear_notice ;;
        '') ;;
        "$link") heard "$2" "$line" ;;
        esac
        admit
    done
    no_more "$guard"
    no_more "$listener"
    remove_spent
    set +f
    rm -rf work/.spare-*
    [ "$run_over" = 0 ] || { cd / && rm -rf "$folder"; }
    exit
}

# Hang up. When nothing goes on, our end does that, after all is tidied up.
part() {
    exec 4>&-
    link='' every=0
}

tell() {
    [ -z "$link" ] || printf '%s\n' "$1" >&4 || part
}

# Take a line of the controller: a piece of an order, or its end.
heard() {
    piece=${2#"$link "}
    case $1 in
    gone)
        # That is not to attend: we may hear hours later that a link has ended.
        part
        buffer=
        return
        ;;
    esac
    now
    attended=$now
    case $1 in
    +*) buffer=$buffer${piece#+} ;;
    =*)
        buffer=$buffer${piece#=}
        # shellcheck disable=SC2086  # words
        set -- $buffer
        buffer=
        obey "$@"
        ;;
    esac
}

obey() {
    operation=$1
    shift
    case $operation in
    hello) configure "$@" ;;
    go) go "$@" ;;
    blob) take_blob "$1" "$2" ;;
    cancel) cancel "$@" ;;
    adopt) adopt "$@" ;;
    survey) survey ;;
    release) release "$@" ;;
    follow)
        while [ $# -gt 2 ]; do
            tell "off $1 $2 $3"
            shift 3
        done
        ;;
    discard) discard "$@" ;;
    gpus)
        all_gpus="$*"
        count_gpus
        ;;
    beat)
        unattended=$1
        attend
        tell '{"event":"beat"}'
        ;;
    measure) measure "$1" ;;
    leave)
        leaving=yes
        run_over=${1-0}
        ;;
    *)
        quote "$operation"
        tell "{\"event\":\"problem\",\"text\":\"the shim knows no $quoted\"}"
        ;;
    esac
}

# Learn what the machine has: thousandths of cores, bytes, slots, the store, then words: x for a clean environment, e
# for a variable of it, b for the file by which the machine's own watch is told that somebody attends, g for a GPU's name.
configure() {
    decode "$4"
    store=$decoded
    mkdir -p "$store/objects" "$store/tmp" || tell '{"event":"problem","text":"the store cannot be written"}'
    all_cpus=$1 all_memory=$2 slots=$3
    for word in $running; do
        [ "$slots" = - ] || slots=$((slots - 1))
    done
    free_cpus=$((free_cpus + $1)) free_memory=$((free_memory + $2))
    shift 4
    for word in "$@"; do
        case $word in
        x) clean=yes ;;
        e*) base_env="$base_env $word" ;;
        b*)
            decode "${word#b}"
            beat_file=$decoded
            attend
            listen_for_notice
            ;;
        g*) all_gpus="$all_gpus${word#g} " ;;
        esac
    done
    count_gpus
}

# Tell the machine's own watch, if it has one, that somebody attends to it.
attend() {
    [ -z "$beat_file" ] || { true >"$beat_file"; } 2>/dev/null
}
