#!/bin/sh
# A fake host from the moment it has power: sh boot.sh ATTRIBUTES FOLDER NAME ADDRESS..., as the first process of its namespaces.
#
# Its root is this computer's /usr and /etc, with all that is changed in them kept in FOLDER, and nothing else of this
# computer. Its first process is sshd; beside it the boot data is executed, at the first boot only, as clouds do.
set -e
[ "$1" != user ] || attributes=,userxattr
folder=$2 name=$3
shift 3
root=$folder/root
echo here
read -r _ # the network is there
mount --bind "$root" "$root"
cd "$root"
mkdir -p proc sys dev run tmp var/log var/lib/cloud home root etc usr mnt
for each in etc usr; do
    mount -t overlay overlay -o "lowerdir=/$each,upperdir=$folder/$each,workdir=$folder/$each.work${attributes:-}" "$each"
done
for each in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$each" ]; then
        ln -sfn "$(readlink "/$each")" "$each"
    elif [ -d "/$each" ]; then
        mkdir -p "$each" && mount --bind "/$each" "$each"
    fi
done
mount -t proc proc proc
for each in run tmp dev; do mount -t tmpfs -o mode=0755 tmpfs "$each"; done
mkdir -p dev/pts run/sshd run/systemd/system
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
for each in null zero full random urandom tty; do
    : >"dev/$each"
    mount --bind "/dev/$each" "dev/$each"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
chmod 1777 tmp
hostname "$name"
pivot_root . mnt
umount -l /mnt
cd /
ip link set lo up
for each in "$@"; do ip address add "$each/32" dev eth0; done
ip link set eth0 up
ip route add default dev eth0
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
for unit in /etc/systemd/system/multi-user.target.wants/*.service; do
    [ ! -e "$unit" ] || systemctl start "${unit##*/}"
done
exec 9<&0 # what is in the background has no standard input
{
    read -r _ <&9 || systemctl poweroff # whoever has switched it on is gone
} &
data=/var/lib/cloud/user-data
if [ -e "$data" ] && [ ! -e "$data.done" ]; then
    (
        "$data" >/var/log/cloud-init-output.log 2>&1
        touch "$data.done"
    ) </dev/null &
fi
exec /usr/sbin/sshd -D -e </dev/null 9<&- >/dev/null 2>>/var/log/sshd.log
