# --- objects

BLOCK=1048576
PIECE=16777216

exchange() {
    store=$1
    part=$store/tmp/shim.$(uname -n).$$
    problem=$(mkdir -p "$store/objects" "$store/tmp" 2>&1) || store_problem "$problem"
    trap 'rm -rf "$part"' EXIT
    trap 'exit' HUP TERM PIPE
    while IFS= read -r line; do
        # shellcheck disable=SC2086  # words
        set -- $line
        case ${1-} in
        lack) tell_lacking ;;
        take) take "$2" ;;
        whole) take_whole "$2" "$3" ;;
        give) give ;;
        draw) draw ;;
        read) read_unread ;;
        send) send ;;
        files)
            decode "$2"
            give_files "$decoded"
            ;;
        clear)
            cd / && rm -rf "$store"
            rmdir "${store%/*}" 2>/dev/null
            echo '{"cleared":true}'
            ;;
        *) store_problem 'that is no request' ;;
        esac
    done
}

# Say what went wrong, as in `longshore.remote.exchange`, and end.
store_problem() {
    kind=other
    ! is_full "$1" || kind=full
    quote "$1"
    printf '{"problem":"%s","kind":"%s","object":"%s"}\n' "$quoted" "${2:-$kind}" "${3-}"
    exit 1
}

object_of() {
    case $1 in
    *[!0-9a-f]* | '' | ? | ??) store_problem 'that is no digest' ;;
    esac
    object=objects/${1%"${1#??}"}/$1
}

# Read lines of sha256, size and kind up to a dot; say which of them are not here whole.
tell_lacking() {
    while read -r sha size kind && [ "$sha" != . ]; do
        object_of "$sha"
        if [ -s "$store/$object" ] || { [ "$size" = 0 ] && [ -e "$store/$object" ]; }; then
            [ "$kind" != folder ] || lacks_some "$store/$object" || continue
            [ "$kind" = folder ] || continue
        fi
        printf '{"lack":"%s"}\n' "$sha"
    done
    echo '{"end":"lack"}'
}

# Say whether a file of a listing is not here.
lacks_some() {
    while read -r kind_here _ size_here sha_here _; do
        [ "$kind_here" = f ] || continue
        object_of "$sha_here"
        [ -s "$store/$object" ] || { [ "$size_here" = 0 ] && [ -e "$store/$object" ]; } || return 0
    done <"$1"
    return 1
}

# Take a tar archive of so many bytes, in which each object has its place as its name. Whatever is what its name says
# is kept, also when the rest never comes.
take() {
    rm -rf "$part"
    mkdir "$part" || store_problem 'the store cannot be written'
    problem=$(receive "$1" | tar -x -f - -C "$part" 2>&1)
    keep_parts
    printf '{"taken":%s}\n' "$count"
}

# Give so many bytes of what comes. Busybox's head copies them one after the other, and takes more than it was asked to;
# dd does neither, where it can wait for whole blocks.
receive() {
    if [ -z "${by_blocks-}" ]; then
        by_blocks=no
        ! dd count=0 iflag=fullblock </dev/null >/dev/null 2>&1 || by_blocks=yes
    fi
    if [ "$by_blocks" = no ]; then
        head -c "$1"
        return
    fi
    [ "$1" -lt "$BLOCK" ] || receive_blocks "$BLOCK" $(($1 / BLOCK)) || return
    [ $(($1 % BLOCK)) = 0 ] || receive_blocks $(($1 % BLOCK)) 1
}

receive_blocks() {
    dd bs="$1" count="$2" iflag=fullblock 2>"$part/said" || {
        cat "$part/said" >&2
        return 1
    }
}

# Take an object of so many bytes by itself. What has come is digested while the rest is on its way: with busybox that
# takes as long as a fast way does.
take_whole() {
    object_of "$1"
    left=$2
    rm -rf "$part"
    mkdir "$part" || store_problem 'the store cannot be written'
    mkfifo "$part/come" || store_problem 'the store cannot be written'
    : >"$part/piece"
    digest_pieces <"$part/come" >"$part/sum" &
    exec 3>"$part/come"
    problem=
    while [ "$left" -gt 0 ] && [ -z "$problem" ]; do
        size=$PIECE
        [ "$left" -gt "$size" ] || size=$left
        problem=$({ receive "$size" >>"$part/piece"; } 2>&1)
        left=$((left - size))
        echo >&3
    done
    exec 3>&-
    wait "$!"
    [ -z "$problem" ] || store_problem "$problem"
    read -r sha _ <"$part/sum"
    [ "$sha" = "$1" ] || store_problem "an object is not what its digest says: $1" damaged "$1"
    problem=$({ mkdir -p "$store/${object%/*}" && chmod 444 "$part/piece" && mv -f "$part/piece" "$store/$object"; } 2>&1) ||
        store_problem "$problem"
    rm -rf "$part"
    echo '{"taken":1}'
}

# Digest a file that grows: by one piece with each line that is read.
digest_pieces() {
    skip=0
    while read -r _; do
        dd if="$part/piece" bs="$BLOCK" skip="$skip" count=$((PIECE / BLOCK)) 2>/dev/null
        skip=$((skip + PIECE / BLOCK))
    done | sha256sum
}

# Keep what lies in the part's folder, each object in its place, if it is what its name says.
keep_parts() {
    count=0
    damaged=
    set +f
    for each in "$part"/objects/*; do
        [ -d "$each" ] || continue
        prefix=${each##*/}
        problem=$problem$({ sha256sum "$each"/* >"$part/sums"; } 2>&1) || damaged=unknown
        while read -r sha path; do
            if [ "$sha" = "${path##*/}" ]; then
                count=$((count + 1))
            else
                damaged=${path##*/}
                rm -f "$path"
            fi
        done <"$part/sums"
        [ -d "$store/objects/$prefix" ] || mkdir -p "$store/objects/$prefix"
        chmod 444 "$each"/* 2>/dev/null && mv -f "$each"/* "$store/objects/$prefix/" ||
            problem="$problem the store cannot be written"
    done
    set -f
    rm -rf "$part"
    is_full "$problem" && store_problem "$problem"
    [ -z "$damaged" ] || store_problem "an object is not what its digest says: $damaged" damaged "$damaged"
    [ -z "$problem" ] || store_problem "$problem"
}

# Read lines of sha256 and a request to a bucket up to a dot; its file for curl is in base64, as its URL is as good as a
# key: it is in a file that nobody else can read, and in no process's arguments. Say of each whether it came.
draw() {
    rm -rf "$part"
    mkdir -m 700 "$part" || store_problem 'the store cannot be written'
    while read -r sha request && [ "$sha" != . ]; do
        object_of "$sha"
        if [ -e "$store/$object" ]; then
            echo '{"drawn":""}'
            continue
        fi
        : >"$part/piece"
        case $(make_request "$request" -o "$part/piece") in
        20?)
            mkdir -p "$part/${object%/*}" && mv "$part/piece" "$part/$object"
            echo '{"drawn":""}'
            ;;
        404 | 410) printf '{"missing":"%s"}\n' "$sha" ;;
        *) tell_apart ;;
        esac
    done
    problem=
    keep_parts
    echo '{"end":"draw"}'
}

# Read lines of a request as above for an object of which nobody knows the digest, up to a dot; say of each what it is.
read_unread() {
    rm -rf "$part"
    mkdir -m 700 "$part" || store_problem 'the store cannot be written'
    while read -r request && [ "$request" != . ]; do
        : >"$part/piece"
        status=$(make_request "$request" -o "$part/piece")
        broken=$?
        case $status in
        20?)
            # What was cut off is none: nothing else would tell.
            case $broken in
            0) keep_unread ;;
            23) store_problem 'the store cannot be written; it may be full' full ;;
            *) tell_apart ;;
            esac
            ;;
        404 | 410) echo '{"read":"","size":0}' ;;
        *) tell_apart ;;
        esac
    done
    rm -rf "$part"
    echo '{"end":"read"}'
}

# Keep what has come under its digest, and say which that is.
keep_unread() {
    sha=$(sha256sum <"$part/piece") || store_problem 'the store cannot be read'
    sha=${sha%% *}
    size=$(stat -c %s "$part/piece")
    object_of "$sha"
    problem=$({ mkdir -p "$store/${object%/*}" && chmod 444 "$part/piece" && mv -f "$part/piece" "$store/$object"; } 2>&1) ||
        store_problem "$problem"
    printf '{"read":"%s","size":%s}\n' "$sha" "$size"
}

# Read lines of sha256, begin, size and a request as above, up to a dot; send so many bytes, and say with which tag each
# was taken.
send() {
    rm -rf "$part"
    mkdir -m 700 "$part" || store_problem 'the store cannot be written'
    while read -r sha begin size request && [ "$sha" != . ]; do
        object_of "$sha"
        if ! [ -e "$store/$object" ]; then
            printf '{"missing":"%s"}\n' "$sha"
            continue
        fi
        tail -c "+$((begin + 1))" "$store/$object" | head -c "$size" >"$part/piece" ||
            store_problem 'the store cannot be written'
        case $(make_request "$request" -T "$part/piece" -D "$part/head" -o /dev/null -H "Content-MD5: $(md5_of "$part/piece")") in
        20?) printf '{"sent":"%s"}\n' "$(sed -n 's/^[Ee][Tt][Aa][Gg]: *"*\([0-9A-Za-z-]*\).*/\1/p' "$part/head" | tail -n 1)" ;;
        *) tell_apart ;;
        esac
    done
    rm -rf "$part"
    echo '{"end":"send"}'
}

# Make a request, and give the status of the answer; 000 for none.
make_request() {
    (umask 077 && printf %s "$1" | base64 -d >"$part/request") || return
    shift
    command -v curl >/dev/null || {
        echo 'curl is not there' >"$part/said"
        return
    }
    curl -q -K "$part/request" "$@" 2>"$part/said"
}

tell_apart() {
    quote "$(head -n 1 "$part/said" 2>/dev/null)"
    printf '{"apart":"%s"}\n' "$quoted"
}

# Give the MD5 of a file in base64.
md5_of() {
    hex=$(md5sum <"$1")
    hex=${hex%% *}
    while [ -n "$hex" ]; do
        rest=${hex#??}
        # shellcheck disable=SC2059  # the format is made of digits
        printf "\\$(printf %03o "0x${hex%"$rest"}")"
        hex=$rest
    done | base64
}

# Read digests up to a dot; give the size of each object, or nothing, then all of their bytes.
give() {
    cd "$store" || store_problem 'there is no store'
    set --
    while read -r sha && [ "$sha" != . ]; do
        object_of "$sha"
        if [ -e "$object" ]; then
            set -- "$@" "$object"
        else
            printf '{"missing":"%s"}\n' "$sha"
        fi
    done
    [ $# = 0 ] || stat -c '{"object":"%n","size":%s}' "$@"
    echo '{"end":"give"}'
    [ $# = 0 ] || cat "$@"
}

# Read paths below a folder up to a dot; of each file give size, mode, digest and its bytes.
give_files() {
    while read -r path && [ "$path" != . ]; do
        decode "$path"
        if inside "$decoded" && [ -f "$1/$decoded" ] && sha=$(sha256sum <"$1/$decoded"); then
            stat -L -c '{"file":"","size":%s,"mode":"%a"}' "$1/$decoded"
            cat "$1/$decoded"
            printf '{"sha256":"%s"}\n' "${sha%% *}"
        else
            echo '{"missing":""}'
        fi
    done
}

case ${1-} in
link) link "$2" ;;
exchange) exchange "$2" ;;
serve)
    shift
    serve "$@"
    ;;
*)
    echo "use: sh shim.sh link FOLDER, or sh shim.sh exchange STORE" >&2
    exit 2
    ;;
esac
