#!/bin/sh
# What keeps attempts alive on a machine without Python: the supervisor's work, for any POSIX shell on Linux.
#
#   sh shim.sh link FOLDER       one link of a controller: orders on standard input, what happens on standard output
#   sh shim.sh exchange STORE    objects into a store and out of it, the same way
#
# A link's orders are the messages of `longshore.remote.protocol`, written as `longshore.remote.words` says, since a
# shell cannot read JSON; its answers are that protocol's own lines of JSON. What comes from outside is data: it is
# never evaluated, and whatever the shell would split or expand is quoted or switched off.
#
# Three kinds of processes, each of which may be killed alone:
#   the link      dies with its connection. It passes orders into FOLDER/ring, and on what the server tells.
#   the server    one for each link, detached. It decides what starts when, and replaces the server before it.
#   the keepers   one for each attempt. It alone knows how its command ends, and writes that down.
#
#   FOLDER/claim.N           server N: its process, when that began, the boot, and the fence. The highest N counts.
#   FOLDER/ring              what the server hears: lines of at most 1,000 bytes, which a pipe takes whole
#   FOLDER/record/NAME       an attempt's life: a line when it began, a line how it ended, whole or not at all
#   FOLDER/work, FOLDER/logs, FOLDER/blobs    as the supervisor has them
#
# Where a shell cannot be told, it looks again after a while: what attempts print is looked at every 0.25 s while any
# run, processes that were asked to end every 0.05 to 1 s, whether somebody attends every 30 s at the longest, and on a
# rented machine whether its cloud will take it every 2 s.

VERSION=1
TOOLS='base64 cat chmod cp date dd df env find grep head ln ls mkdir mkfifo mv od readlink rm sed setsid sha256sum sleep
    sort stat tail tar tr xargs'
LOOK=0.25
SOON=0.05
SEEK=2
CHUNK=4128768 # 63 blocks of 64 KiB: a piece of a log
set -f
old_umask=$(umask)
umask 077
old_locale=${LC_ALL-}
had_locale=${LC_ALL+yes}
LC_ALL=C
export LC_ALL

# --- words

# Turn a word as it was sent into what it means.
decode() {
    case $1 in
    '\e') decoded= ;;
    *\\*) decoded=$(printf '%b.' "$1") && decoded=${decoded%.} ;;
    *) decoded=$1 ;;
    esac
}

# Write text as the inside of a JSON string, byte by byte where it is not plain.
quote() {
    case $1 in
    *[!\ -~]* | *[\"\\]*)
        quoted=$(printf %s "$1" | od -An -v -tx1 | tr -d '\n' |
            sed 's/ \([0-7].\)/\\u00\1/g; s/ \([89a-f].\)/\\udc\1/g')
        ;;
    *) quoted=$1 ;;
    esac
}

# Turn %XX in a path of a listing into what it means.
unquote() {
    unquoted=
    unquote_rest=$1
    while :; do
        case $unquote_rest in
        *%*) ;;
        *) break ;;
        esac
        unquote_tail=${unquote_rest#*%}
        unquote_code=$((0x${unquote_tail%"${unquote_tail#??}"}))
        unquoted=$unquoted${unquote_rest%%\%*}\\0$((unquote_code / 64))$((unquote_code / 8 % 8))$((unquote_code % 8))
        unquote_rest=${unquote_tail#??}
    done
    [ -z "$unquoted" ] || unquoted=$(printf '%b.' "$unquoted") && unquoted=${unquoted%.}
    unquoted=$unquoted$unquote_rest
}

# Say whether a relative path stays inside by its words.
inside() {
    case /$1/ in
    // | //* | */../*) return 1 ;;
    esac
}

# Do something with all words that a file has. Through a pipe: what xargs starts must not move its place in the file,
# as it does where busybox is all programs in one.
each_of() {
    words=$1
    shift
    cat "$words" | xargs -0 -r "$@"
}

# Say whether what a program complains of means that there is no room: tar says so by what it could write.
is_full() {
    case $1 in
    *'No space left'* | *'quota exceeded'* | *'Wrote only'* | *'short write'*) ;;
    *) return 1 ;;
    esac
}
