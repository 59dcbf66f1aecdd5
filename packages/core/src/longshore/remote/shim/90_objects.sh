# --- objects

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
        give) give ;;
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
    case $1 in
    *'No space left'* | *'quota exceeded'*) kind=full ;;
    esac
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
    problem=$(head -c "$1" | tar -x -f - -C "$part" 2>&1)
    count=0
    damaged=
    set +f
    for each in "$part"/objects/*; do
        [ -d "$each" ] || continue
        prefix=${each##*/}
        sha256sum "$each"/* >"$part/sums" || damaged=unknown
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
    case $problem in
    *'No space left'* | *'quota exceeded'*) store_problem "$problem" ;;
    esac
    [ -z "$damaged" ] || store_problem "an object is not what its digest says: $damaged" damaged "$damaged"
    [ -z "$problem" ] || store_problem "$problem"
    printf '{"taken":%s}\n' "$count"
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
