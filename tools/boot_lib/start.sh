#!/bin/sh
# start.sh FOLDER: makes a root of the machine's own and of FOLDER/layer, in which nothing that is
# written reaches the machine, and becomes the service manager there. The first process of its own
# namespaces (tools/boot). What fails before that is what the machine cannot do.
set -eu
top=$1/top
root=$top/root

mkdir "$top"
mount -t tmpfs koi-boot "$top"
mkdir "$root" "$top/upper" "$top/work"
cp -a "$1/layer/." "$top/upper"
mount -t overlay koi-boot -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root"

# What belongs to the kernel and is not in a namespace stays as it is.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/net"
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" \
    "net/tun 10 200"; do
    set -- $node
    mknod -m 666 "$root/dev/$1" c "$2" "$3"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

# Neither the machine's services, mounts and journal, nor what lies about.
for folder in etc/systemd/system run var/log; do
    mount -t tmpfs -o mode=755 tmpfs "$root/$folder"
done
mount -t tmpfs tmpfs "$root/tmp"

: >"${top%/top}/began" # what fails from here on is koi's
cd "$root"
pivot_root . mnt
umount -l /mnt
mount --make-rshared / # what systemd expects, and hands credentials over by
exec setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time,-syslog,-audit_control,-audit_read \
    env -i container=koi-boot PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
    /lib/systemd/systemd --system --unit=sysinit.target
