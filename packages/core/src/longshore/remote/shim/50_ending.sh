# --- an attempt's end

# Write down how it ended, then tell it; and leave nothing that nobody needs.
finish() {
    drop_secrets
    place=$workdir
    if [ "$kept" ] || ! { [ "$cancelled" ] || [ "$code$failure$lost" = 0 ]; }; then
        keep_workdir
        place=
    else
        shown=
    fi
    now
    told="{\"event\":\"ended\",\"id\":\"$id\""
    if [ "$cancelled" ]; then
        told="$told,\"cancelled\":true"
    elif [ "$lost" ]; then
        quote "$lost"
        told="$told,\"lost\":\"$quoted\"${never:+,\"never\":true}"
    else
        told="$told,\"code\":$code"
    fi
    if [ "$failure" ] && [ -z "$cancelled" ]; then
        quote "$evidence"
        told="$told,\"failure\":\"$failure\",\"evidence\":\"$quoted\""
    fi
    if [ "$ended" ]; then
        read_usage
        told="$told,\"started\":${started%??}.${started#"${started%??}"},\"cpu\":$usage,\"memory\":0"
        now=$ended
    fi
    told="$told,\"ended\":${now%??}.${now#"${now%??}"}${rows:+,\"outputs\":[$rows]}${shown:+,\"workdir\":\"$shown\"}}"
    record_end || {
        # Room for this has to be made by what the attempt has written.
        [ -z "$own" ] || remove "$workdir"
        [ -z "$shown" ] || told=${told%,\"workdir\":\"*}}
        record_end
    }
    [ -z "$warn" ] || rm -f "tmp/warn.$slot" "tmp/warned.$slot"
    [ ! -e "tmp/why.$slot" ] || rm -f "tmp/why.$slot"
    if [ "$place" ] && { [ "$own" ] || ! is_empty "$place"; }; then
        remove "$place"
    fi
    # Of a success the record is enough, which whoever tells it reads faster than a pipe.
    [ "$failure$unwritten" ] && [ ${#told} -lt 800 ] || told=
    printf 'over %s %s %s\n' "$slot" "$id" "$told" >&3
    exit
}

# Write the end behind the beginning. When that has failed it is written anew, since a piece of it may be there.
record_end() {
    if [ -z "$unwritten" ]; then
        printf 'ended %s\n' "$told" >>"record/$name" || unwritten=yes
        [ -z "$unwritten" ]
    else
        {
            head -n 1 "record/$name"
            printf 'ended %s\n' "$told"
        } >"tmp/record.$slot" && mv -f "tmp/record.$slot" "record/$name"
    fi
}

# Give the folder of a failed attempt its name for good.
keep_workdir() {
    shown=
    if [ -z "$own" ] && [ -d "$workdir" ]; then
        [ ! -e "work/$name" ] || remove "work/$name"
        mv "$workdir" "work/$name" && workdir=work/$name
    fi
    [ -d "$workdir" ] || return 0
    quote "$folder/$workdir"
    shown=$quoted
}

is_empty() {
    set +f
    for each in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -e "$each" ] || [ -L "$each" ]; then
            set -f
            return 1
        fi
    done
    set -f
    [ ! -L "$1" ]
}

# Give the processor's time that the command has used, in seconds.
read_usage() {
    usage=0
    { read -r _ && read -r user system; } <"tmp/times.$slot" || user=0m0.00s system=0m0.00s
    for each in "$user" "$system"; do
        each=${each%s}
        hundredths=${each##*.}00
        hundredths=${hundredths%"${hundredths#??}"}
        seconds=${each#*m}
        usage=$((usage + (${each%%m*} * 60 + ${seconds%.*}) * 100 + 1$hundredths - 100))
    done
    hundredths=$((usage % 100 + 100))
    usage=$((usage / 100)).${hundredths#1}
}
