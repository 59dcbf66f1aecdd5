# --- the keeper of one attempt: a process of its own

# What each word of an order means: s a script's digest, n the variables that name the attempt, e another variable, a an
# argument, i an input, o an output, k a secret file, w a wish to be asked to end before the machine goes. Variables come before arguments.
keep() {
    exec 4>&-
    trap 'asked=yes' TERM
    trap 'forced=yes' ALRM
    trap 'timed_out=yes' USR1
    asked='' forced='' timed_out='' ended='' never='' code='' failure='' evidence='' lost='' cancelled='' rows='' leader=- comma='' prefixes='' listings=0 mode_now='' ending='' warn='' unwritten=''
    slot=$1 id=$2 name=$3 cpus=$4 memory=$5 gpus=$6 timeout=$7 grace=$8 kept=$9
    shift 9
    mark=$id@$folder
    own=$kept outputs=0
    for word in "$@"; do
        case $word in
        [ik]*) own=yes ;;
        o*) own=yes outputs=$((outputs + 1)) ;;
        w) warn=yes ;;
        esac
    done
    workdir=work/.spare-$slot
    [ -z "$own" ] || workdir=work/$name
    look_at self
    # Whoever makes this file executes the attempt, and nobody else ever does.
    set -C
    if ! { printf 'begun %s %s %s %s %s %s %s %s %s\n' "$id" "$pid" "$start" "$boot" "$slot" "$cpus" "$memory" \
        "${gpus:--}" "$workdir" >"record/$name"; } 2>/dev/null; then
        set +C
        if [ -s "record/$name" ]; then
            printf 'known %s %s\n' "$slot" "$id" >&3
            exit
        fi
        lost='the machine cannot write its record'
        fail 'disk full' "$lost"
    fi
    set +C
    # A server that has come meanwhile has told that this was never started, or is about to find that it was.
    if [ ! -e "claim.$generation" ] || [ -e "claim.$((generation + 1))" ]; then
        lost='never started' failure='machine lost' never=yes
        finish
    fi
    [ -z "$warn" ] || true >"tmp/warn.$slot"
    [ "$failure" ] || prepare "$@"
    if [ "$failure" ]; then
        lost=$evidence
        finish
    fi
    run "$@"
    drop_secrets
    judge
    [ "$failure$cancelled$lost" ] || [ "$outputs" = 0 ] || collect "$@"
    finish
}

# Note what went wrong; the first thing counts.
fail() {
    failure=${failure:-$1}
    evidence=${evidence:+$evidence; }$2
}

# Execute the command, and see to it that nothing of it is left.
run() {
    words="$base_env $*"
    task=${id#*/}
    attempt_names="LONGSHORE_RUN=${id%%/*} LONGSHORE_TASK=${task%/*} LONGSHORE_ATTEMPT=${id##*/}"
    gather_variables
    now
    started=$now
    become "$@" </dev/null >>"logs/$name.out" 2>>"logs/$name.err" 3>&- &
    leader=$!
    timer=
    if [ "$timeout" != - ]; then
        alarm "$timeout" USR1
        timer=$!
    fi
    [ ! -e "tmp/why.$slot" ] || asked=yes
    printf 'run %s %s %s %s\n' "$slot" "$id" "$started" "$workdir" >&3
    await
    now
    ended=$now
    no_more "$timer"
    { times; } >"tmp/times.$slot" # in braces: where the disk is full, a shell ends that can redirect no command of its own
    if [ "$ending" ] || may_have_left; then
        end_rest
    fi
    no_more "$ending"
}

# Give the variables that the attempt has from us, and those that its order has when a shell may set them all: NAME=VALUE
# with blanks between. Otherwise env has to set them, which costs a process.
gather_variables() {
    threads=$((cpus / 1000))
    [ "$threads" -gt 0 ] || threads=1
    ours= theirs= by_env=$clean
    [ "$cpus" = 0 ] || ours="OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads MKL_NUM_THREADS=$threads \
NUMEXPR_NUM_THREADS=$threads VECLIB_MAXIMUM_THREADS=$threads"
    [ -z "$all_gpus" ] || ours="$ours CUDA_VISIBLE_DEVICES=$gpus"
    for word in $words; do
        case $word in
        n) theirs="$theirs $attempt_names" ;;
        e*\\*) by_env=yes ;;
        eLONGSHORE_* | e[a-z]*)
            theirs="$theirs ${word#e}"
            case ${word%%=*} in
            *[!A-Za-z0-9_]*) by_env=yes ;;
            esac
            ;;
        e*) by_env=yes ;;
        esac
    done
}

# Be the command of an attempt.
become() {
    trap - TERM ALRM USR1
    umask "$old_umask"
    cd "$workdir" || exit
    set --
    if [ "$by_env" ]; then
        become_by_env
    fi
    for word in $words; do
        case $word in
        a*) decode "${word#a}" && set -- "$@" "$decoded" ;;
        s*) set -- "$@" sh "$folder/blobs/${word#s}" ;;
        esac
    done
    if [ "$had_locale" ]; then LC_ALL=$old_locale; else unset LC_ALL; fi
    set -- "$setsid" "$@"
    # Variables of ours may have the same names, so none is used from here on.
    # shellcheck disable=SC2086,SC2163  # words
    export $ours $theirs "PWD=$folder/$workdir" "LONGSHORE_ID=$mark"
    exec "$@"
}

become_by_env() {
    if [ "$clean" ]; then
        set -- -i
    elif [ "$had_locale" ]; then
        set -- "LC_ALL=$old_locale"
    else
        set -- -u LC_ALL
    fi
    # Words that mean what they are come to the others in one piece: to bash each word costs as much as all before it.
    marked='' plain=$ours
    for word in $words; do
        case $word in
        e*\\*)
            decode "${word#e}"
            # shellcheck disable=SC2086  # words
            set -- "$@" $plain "$decoded"
            plain=
            ;;
        n) plain="$plain $attempt_names" ;;
        e*) plain="$plain ${word#e}" ;;
        [as]*)
            # shellcheck disable=SC2086  # words
            [ "$marked" ] || set -- "$@" $plain "PWD=$folder/$workdir" "LONGSHORE_ID=$mark"
            decode "${word#?}"
            case $marked$word in
            s*) set -- "$@" sh "$folder/blobs/$decoded" ;;
            # What has "=" in it would be taken for a variable.
            a*=*) set -- "$@" sh -c 'exec "$@"' sh "$decoded" ;;
            *) set -- "$@" "$decoded" ;;
            esac
            marked=-
            ;;
        esac
    done
    exec "$setsid" "$env" "$@"
}

# Send this keeper a signal after some seconds, from a process that no_more ends.
alarm() {
    look_at self
    (
        exec 3>&-
        trap 'kill "$nap"; exit' TERM
        sleep "$1" &
        nap=$!
        wait "$nap" && kill "-$2" "$pid"
    ) 2>/dev/null &
}

no_more() {
    [ -z "$1" ] || kill -TERM "$1" 2>/dev/null
}

# Wait for the first process; ask all to end when that is asked of us, and kill them when their grace is over.
await() {
    ending='' killed='' last=''
    while :; do
        if [ "$asked$timed_out" ] && [ -z "$ending" ]; then
            alarm "$grace" ALRM
            ending=$!
            find_members "$mark" "$leader"
            signal TERM
            signal CONT
        elif [ "$forced" ] && [ -z "$killed" ]; then
            killed=yes
            find_members "$mark" "$leader"
            signal KILL
        else
            wait "$leader" 2>/dev/null
            code=$?
            [ "$code" != 127 ] || code=${last:-127}
            case $code in
            138 | 142 | 143) # perhaps a signal for us has ended the waiting, and not the process
                [ "$last" != "$code" ] || return
                last=$code
                ;;
            *) return ;;
            esac
        fi
    done
}

# Say whether the attempt may have left processes behind. Whatever it has left descends from a process that has become
# the child of the reaper, and that has a number between that of its first process and the latest of all, since numbers
# begin anew some day, but not within a second.
may_have_left() {
    [ $((ended - started)) -lt 100 ] && [ "$reaper" ] || return 0
    read -r _ _ _ _ newest </proc/loadavg
    [ "$newest" -ge "$leader" ] || return 0
    # When the reaper is gone, another one has become the parent.
    { read -r orphans || [ -e "/proc/$reaper" ]; } 2>/dev/null <"/proc/$reaper/task/$reaper/children" || return 0
    set --
    for each in $orphans; do
        [ "$each" -gt "$leader" ] && [ "$each" -le "$newest" ] && look_at "$each" || continue
        [ "$session" != "$leader" ] || return 0
        set -- "$@" "/proc/$each/environ"
    done
    [ $# != 0 ] && grep -qszxF -- "LONGSHORE_ID=$mark" "$@"
}

# End what is left. None of these are our children, so nobody tells us when they are over.
end_rest() {
    nap=0.05
    while find_members "$mark" "$leader" && [ -n "$members" ]; do
        if [ -z "$ending" ]; then
            alarm "$grace" ALRM
            ending=$!
            signal TERM
            signal CONT
        fi
        [ -z "$forced" ] || signal KILL
        sleep "$nap" &
        wait $!
        case $nap in
        0.05) nap=0.1 ;;
        0.1) nap=0.3 ;;
        0.3) [ -z "$forced" ] || nap=1 ;;
        esac
    done
}

# Say what kind of end it was, with the proof.
judge() {
    if [ -e "tmp/why.$slot" ] && read -r why <"tmp/why.$slot"; then
        case $why in
        cancelled) cancelled=yes ;;
        *) lost=$why failure='machine lost' evidence=$why ;;
        esac
    elif [ "$timed_out" ]; then
        fail timeout "ended after its timeout of $timeout seconds"
    elif [ "$code" != 0 ] && [ -e "tmp/warned.$slot" ]; then
        fail preempted "its machine is about to be taken away; exit code $code"
    elif [ "$code" != 0 ]; then
        evidence="exit code $code"
        [ "$code" -le 128 ] || evidence="exit code $code, which a shell gives for signal $((code - 128))"
        free=$(df -Pk "$workdir" 2>/dev/null) && free=${free##*
} || free=
        # shellcheck disable=SC2086  # fields
        set -- $free
        count_kills
        if [ "$code" = 137 ] && [ "$kills" -gt "$kills_before" ]; then
            failure='out of memory'
            evidence="killed by the kernel, which was out of memory (oom_kill in /proc/vmstat rose to $kills)"
        elif [ "${4:-1024}" -lt 1024 ]; then
            fail 'disk full' "$4 KiB are left on the disk of the workdir"
        elif may_write_no_more; then
            fail 'disk full' 'no more may be written to the workdir: the quota is used up'
        else
            failure='user code'
        fi
    fi
}

# Say whether a little more is refused where there is room: a quota is told to who writes, and to nobody else.
may_write_no_more() {
    [ -d "$workdir" ] && [ ! -L "$workdir" ] || return 1
    problem=$({ head -c 1048576 /dev/zero >"$workdir/.longshore-room"; } 2>&1)
    rm -f "$workdir/.longshore-room"
    is_full "$problem"
}

# Give how many processes the kernel has killed for want of memory.
count_kills() {
    kills=$(grep '^oom_kill ' /proc/vmstat) && kills=${kills#oom_kill } || kills=0
}
