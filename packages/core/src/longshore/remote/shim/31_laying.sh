# --- inputs and secrets

# Make the workdir, and lay inputs and secrets into it. Most attempts have none, and find the folder that one before them
# has left empty: they are spared two processes, which cost more than their command.
prepare() {
    [ "$own" ] || [ ! -d "$workdir" ] || return 0
    problem=$( (
        if [ "$own" ] && { [ -e "$workdir" ] || [ -L "$workdir" ]; }; then remove "$workdir"; fi
        [ -d "$workdir" ] || mkdir "$workdir" || exit
        cd "$workdir" || exit
        for word in "$@"; do
            case $word in
            i*) lay "${word#i}" || exit ;;
            k*) lay_secret "${word#k}" || exit ;;
            esac
        done
        flush_modes
    ) 2>&1) && return
    if is_full "$problem"; then
        fail 'disk full' "$problem"
    else
        fail staging "${problem:-the workdir cannot be made}"
    fi
}

# Make the folder that a path is in. A link in one laid before must not lead it out of the workdir.
make_parent() {
    inside "$1" || {
        echo "the path $1 leads out of the workdir" >&2
        return 1
    }
    case $1 in
    */*) ;;
    *) return 0 ;;
    esac
    [ -d "${1%/*}" ] || mkdir -p "./${1%/*}" || return 1
    no_way_out "${1%/*}"
}

# Say whether a path of the current folder is in it, whatever links it goes through.
no_way_out() {
    way=$1 step=.
    while :; do
        step=$step/${way%%/*}
        [ ! -L "$step" ] || break
        case $way in
        */*) way=${way#*/} ;;
        *) return 0 ;;
        esac
    done
    real=$(readlink -f "./$1" && echo .) && top=$(pwd -P && echo .)
    case ${real%??} in
    "${top%??}"/*) return 0 ;;
    esac
    echo "$1 leads out of the workdir through a link" >&2
    return 1
}

# Lay an input: its digest, size, mode, kind and path.
lay() {
    lay_rest=$1
    lay_sha=${lay_rest%%,*} lay_rest=${lay_rest#*,}
    lay_size=${lay_rest%%,*} lay_rest=${lay_rest#*,}
    lay_mode=${lay_rest%%,*} lay_rest=${lay_rest#*,}
    lay_kind=${lay_rest%%,*}
    decode "${lay_rest#*,}"
    lay_path=$decoded
    make_parent "$lay_path" || return 1
    lay_from=$store/objects/${lay_sha%"${lay_sha#??}"}/$lay_sha
    if [ ! -e "$lay_from" ]; then
        echo "input $lay_path: the store does not have $lay_sha any more" >&2
        return 1
    fi
    if [ "$lay_kind" = folder ]; then
        flush_modes && lay_folder && chmod "$lay_mode" "./$lay_path"
        return
    fi
    if [ "$(stat -c %s "$lay_from")" != "$lay_size" ]; then
        echo "input $lay_path: the store's copy of $lay_sha does not have $lay_size bytes" >&2
        return 1
    fi
    cp "$lay_from" "./$lay_path" || return 1
    [ "$lay_mode" = "$mode_now" ] || flush_modes
    mode_now=$lay_mode
    printf '%s\0' "./$lay_path" >>"$folder/tmp/modes.$slot"
}

# Give the files that were laid last their mode.
flush_modes() {
    [ -z "$mode_now" ] || each_of "$folder/tmp/modes.$slot" chmod "$mode_now" || return 1
    [ -z "$mode_now" ] || true >"$folder/tmp/modes.$slot"
    mode_now=
}

# Lay a folder from its listing in lay_from: folders, files, links; modes last, since a folder may be read-only.
lay_folder() {
    mkdir "./$lay_path" || return 1
    lay_tmp=$folder/tmp/lay.$slot
    rm -rf "$lay_tmp" && mkdir "$lay_tmp" || return 1
    true >"$lay_tmp/dirs"
    true >"$lay_tmp/files"
    lay_closed=
    {
        read -r lay_line
        [ "$lay_line" = 'longshore-folder 1' ] || return 1
        while read -r kind first second third fourth; do
            case $kind in
            d)
                unquote "$second"
                inside "$unquoted" || return 1
                printf '%s\0' "./$lay_path/$unquoted" >>"$lay_tmp/dirs"
                case $first in
                0[37]??) printf '%s\0' "./$lay_path/$unquoted" >>"$lay_tmp/dirs.$first" ;;
                *) lay_closed="$first,$second $lay_closed" ;;
                esac
                ;;
            f)
                unquote "$fourth"
                inside "$unquoted" || return 1
                printf '%s\0%s\0' "$store/objects/${third%"${third#??}"}/$third" "./$lay_path/$unquoted" \
                    >>"$lay_tmp/files"
                printf '%s\0' "./$lay_path/$unquoted" >>"$lay_tmp/files.$first"
                ;;
            l) ;;
            *) return 1 ;;
            esac
        done
    } <"$lay_from" || {
        echo "input $lay_path: the listing $lay_sha is damaged" >&2
        return 1
    }
    each_of "$lay_tmp/dirs" mkdir -p && each_of "$lay_tmp/files" -n 2 cp || return 1
    while read -r kind first second _; do
        [ "$kind" = l ] || continue
        unquote "$first" && lay_target=$unquoted && unquote "$second" || return 1
        inside "$unquoted" && ln -s -- "$lay_target" "./$lay_path/$unquoted" || return 1
    done <"$lay_from"
    set +f
    for each in "$lay_tmp"/files.* "$lay_tmp"/dirs.*; do
        [ ! -e "$each" ] || each_of "$each" chmod "${each##*.}" || return 1
    done
    set -f
    for each in $lay_closed; do
        unquote "${each#*,}" && chmod "${each%%,*}" "./$lay_path/$unquoted" || return 1
    done
    rm -rf "$lay_tmp"
}

# Lay a secret: its content, and its path.
lay_secret() {
    decode "${1#*,}"
    printf '%s\0' "./$decoded" >>"$folder/tmp/secrets.$slot"
    make_parent "$decoded" && printf %s "${1%%,*}" | base64 -d >"./$decoded"
}

# Remove the secrets of an attempt that is over, or never began.
drop_secrets() {
    [ -e "tmp/secrets.$slot" ] || return 0
    [ ! -d "$workdir" ] || (cd "$workdir" && each_of "$folder/tmp/secrets.$slot" rm -f)
    rm -f "tmp/secrets.$slot"
}

# Remove a folder that nobody needs, read-only folders in it too.
remove() {
    rm -rf "$1" 2>/dev/null || { find "$1" -type d -exec chmod u+rwx {} + && rm -rf "$1"; } 2>/dev/null
}
