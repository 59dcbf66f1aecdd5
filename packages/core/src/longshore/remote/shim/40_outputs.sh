# --- declared outputs

# Find, digest and store all outputs; `rows` is what to tell of them.
collect() {
    rows=$( (
        cd "$workdir" || exit
        [ ! -L "$folder/$workdir" ] || {
            echo 'the command put a link in the place of its workdir' >&2
            exit 1
        }
        for how in move copy; do
            true >"$folder/tmp/$how.$slot" || exit
        done
        seen='
'
        for word in "$@"; do
            case $word in
            o*)
                decode "${word#o}"
                pattern=$decoded
                matches=0
                case $pattern in
                */) expand . "${pattern%/}" || exit ;;
                *) expand . "$pattern" || exit ;;
                esac
                [ "$matches" != 0 ] || not_written || exit
                ;;
            esac
        done
        store_outputs || exit
        [ "$listings" = 0 ] || { set +f && rm -f "$folder/tmp/list.$slot".*; }
    ) 2>"tmp/problem.$slot") && return
    problem=$(tail -c 2000 "tmp/problem.$slot")
    rows=
    if is_full "$problem"; then
        fail 'disk full' "$problem"
        return
    fi
    case $problem in
    *'the store'*) fail staging "$problem" ;;
    *) fail 'user code' "${problem:-the command removed its workdir}" ;;
    esac
}

not_written() {
    echo "the output '$pattern' was not written; in the workdir there is $(ls -A | head -n 20 | tr '\n' ' ')" >&2
    return 1
}

# Add what a pattern means below a folder: `*`, `?`, `[...]` as the shell has them, and `**` for folders however deep.
expand() {
    case $2 in
    */*) set -- "$1" "${2%%/*}" "${2#*/}" ;;
    *) set -- "$1" "$2" '' ;;
    esac
    case $2 in
    '' | .)
        set -- "$3" "$1"
        ;;
    '**')
        descend "$1" "$3"
        return
        ;;
    *[*?[]*)
        IFS=
        set +f
        # shellcheck disable=SC2086  # a pattern, which is expanded and not split
        set -- "$3" "$1"/$2
        set -f
        unset IFS
        ;;
    *) set -- "$3" "$1/$2" ;;
    esac
    while [ $# -gt 1 ]; do
        if [ -z "$1" ]; then
            [ ! -e "$2" ] || add_output "$2" || return 1
        elif [ -d "$2" ]; then
            expand "$2" "$1" || return 1
        fi
        expand_rest=$1
        shift 2
        set -- "$expand_rest" "$@"
    done
}

# Follow a pattern's rest in a folder and all below it; without a rest give all files. Links are not followed.
descend() {
    [ -z "$2" ] || expand "$1" "$2" || return 1
    set +f
    set -- "$2" "$1"/*
    set -f
    while [ $# -gt 1 ]; do
        if [ -d "$2" ] && [ ! -L "$2" ]; then
            descend "$2" "$1" || return 1
        elif [ -z "$1" ] && [ -e "$2" ]; then
            add_output "$2" || return 1
        fi
        expand_rest=$1
        shift 2
        set -- "$expand_rest" "$@"
    done
}

# Digest an output, write its row, and note what of it goes into the store.
add_output() {
    output=${1#./}
    case $pattern in
    */) [ -d "$1" ] || return 0 ;;
    esac
    matches=$((matches + 1))
    case $seen in
    *"
/$output
"*) return 0 ;;
    esac
    seen="$seen/$output
"
    no_way_out "$output" || return 1
    how=move
    [ -z "$kept" ] && [ "$(stat -c %d .)" = "$(stat -c %d "$store/objects")" ] || how=copy
    if [ -f "$1" ]; then
        kind=file
        [ "$(stat -L -c %h "$1")" = 1 ] && [ ! -L "$1" ] || how=copy
        sha=$(sha256sum <"$1") && sha=${sha%% *} && size=$(stat -L -c %s "$1") || return 1
        note_object "$1" "$sha"
    elif [ -d "$1" ]; then
        kind=folder
        [ -z "$(find "./$output/" -type f -links +1 | head -c 1)" ] || how=copy
        list_folder "$1" || return 1
    else
        echo "the output $output is a socket, pipe or device; only files and folders can be kept" >&2
        return 1
    fi
    mode=$(stat -L -c %a "$1") && mode=$((0$mode % 512)) || return 1
    quote "$output"
    printf '%s["%s","%s",%s,%s,"%s"]' "$comma" "$quoted" "$sha" "$size" "$mode" "$kind"
    comma=,
}

# Note that a file goes into the store under its digest.
note_object() {
    printf '%s\0%s\0' "$1" "$store/objects/${2%"${2#??}"}/$2" >>"$folder/tmp/$how.$slot"
    case " $prefixes" in
    *" ${2%"${2#??}"} "*) ;;
    *) prefixes="$prefixes${2%"${2#??}"} " ;;
    esac
}

# Write the listing of a folder, as `longshore.remote.digest` says, and note its files and itself for the store. Line
# ends in names become bytes 1 on the way, so that each name is a line.
list_folder() {
    list=$folder/tmp/list.$slot
    size=0
    bad=$(cd "$1" && find . ! -name . ! -type f ! -type d ! -type l | head -n 1)
    if [ "$bad" ]; then
        echo "$1/$bad is a socket, pipe or device; only files, folders and links can be kept" >&2
        return 1
    fi
    [ -e "$folder/tmp/quoting" ] || write_quoting || return 1
    (
        cd "$1" || exit
        find . ! -name . -print0 | sort -z >"$list.names"
        if [ -n "$(tr -dc '\1' <"$list.names" | head -c 1 | tr '\1' x)" ]; then
            echo "in $1 there is a name with byte 1 in it, which cannot be kept from this machine" >&2
            exit 1
        fi
        tr '\n\0' '\1\n' <"$list.names" >"$list.lines"
        sed -e 's,^\./,,' -f "$folder/tmp/quoting" "$list.lines" >"$list.quoted"
        each_of "$list.names" stat -c '%f %s' >"$list.stats" || exit
        if grep -q '['"$(printf '\1')"'\\]' "$list.lines"; then
            find . -type f -print0 | sort -z | xargs -0 -r -n 1 sh -c 'sha256sum <"$1"' sh
        else
            find . -type f -print0 | sort -z | xargs -0 -r sha256sum
        fi >"$list.sums" || exit
    ) || return 1
    {
        echo 'longshore-folder 1'
        while read -r mode bytes <&5 && read -r shown <&6 && IFS= read -r raw <&7; do
            mode=$((0x$mode))
            bits=0$((mode / 64 % 8))$((mode / 8 % 8))$((mode % 8))
            case $raw in
            *"$(printf '\1')"*) raw=$(printf '%s.' "$raw" | tr '\1' '\n') && raw=${raw%.} ;;
            esac
            case $((mode / 4096)) in
            8)
                read -r sha _ <&8 || return 1
                size=$((size + bytes))
                echo "f $bits $bytes $sha $shown"
                note_object "$1/${raw#./}" "$sha"
                ;;
            4) echo "d $bits $shown" ;;
            *)
                target=$(readlink -n "$1/${raw#./}" && echo .) && target=$(printf %s "${target%.}" | tr '\n' '\1' |
                    sed -f "$folder/tmp/quoting")
                echo "l $target $shown"
                ;;
            esac
        done 5<"$list.stats" 6<"$list.quoted" 7<"$list.lines" 8<"$list.sums"
    } >"$list" || return 1
    sha=$(sha256sum <"$list") && sha=${sha%% *} || return 1
    listings=$((listings + 1))
    mv "$list" "$list.$listings" && note_object "$list.$listings" "$sha"
}

# Write what makes sed quote names: a line for each byte that is not plain.
write_quoting() {
    code=2
    {
        echo 's/%/%25/g'
        printf 's/\1/%%0A/g\n'
        while [ "$code" -lt 256 ]; do
            case $code in
            10) ;;
            *) [ "$code" -gt 32 ] && [ "$code" -lt 127 ] ||
                printf "s/\\$((code / 64))$((code / 8 % 8))$((code % 8))/%%%02X/g\n" "$code" ;;
            esac
            code=$((code + 1))
        done
    } >"$folder/tmp/quoting.$slot" && mv "$folder/tmp/quoting.$slot" "$folder/tmp/quoting"
}

# Bring what was noted into the store: all is digested before the first is moved, and each appears there by rename.
store_outputs() {
    for each in $prefixes; do
        [ -d "$store/objects/$each" ] || mkdir -p "$store/objects/$each" || return 1
    done
    for how in move copy; do
        [ -s "$folder/tmp/$how.$slot" ] || continue
        export how place
        place=$store/tmp/$name
        each_of "$folder/tmp/$how.$slot" -n 200 sh -c '
            while [ $# -gt 1 ]; do
                if [ -e "$2" ]; then
                    :
                elif [ "$how" = move ]; then
                    chmod 444 "$1" && mv -f "$1" "$2" || exit 1
                else
                    cp -L "$1" "$place" && chmod 444 "$place" && mv -f "$place" "$2" || exit 1
                fi
                shift 2
            done' sh || {
            echo 'the store cannot be written' >&2
            return 1
        }
    done
}
