#!/bin/sh
# Becomes the first process of a machine inside of this one: systemd, in namespaces of its own.
#
#   boot.sh FOLDER
#
# FOLDER holds the machine's etc, var and opt, and a link to the packages that Python imports. What
# it can write is there or in memory; the rest of this machine it can read. Ends when the machine
# is powered off.
set -eu
folder=$1

outer() {
    # A place of its own among the cgroups here, to be the top of those in the machine.
    mount --make-rprivate /
    mkdir -p "$folder/cgroup"
    mount -t cgroup2 cgroup2 "$folder/cgroup"
    here=$folder/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
    place=$here/reactor-test-$$
    mkdir "$place"
    echo 0 >"$place/cgroup.procs"
    unshare --pid --mount --cgroup --uts --ipc --net --fork --kill-child \
        "$0" "$folder" inner || true
    echo 0 >"$here/cgroup.procs"
    find "$place" -depth -type d -exec rmdir {} +
}

inner() {
    hostname machine
    root=$folder/root
    mkdir -p "$root"
    mount --bind / "$root"
    mount -o remount,bind,ro "$root"
    for part in etc var opt; do mount --bind "$folder/$part" "$root/$part"; done
    mount --bind "$(readlink -f "$folder/packages")" "$root/opt/reactor/packages"
    mount -o remount,bind,ro "$root/opt/reactor/packages"
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
    devices "$root/dev"
    # Nothing of this machine's own mounts is to be in the way of those that systemd makes.
    cd "$root"
    pivot_root . .
    umount -l .
    cd /
    # As root of the machine, not of this one: it sets no clock and loads no module.
    exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog -- \
        env -i container=reactor PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --show-status=no --log-target=journal-or-kmsg
}

# The few that every program may expect, none of the real hardware.
devices() {
    mount -t tmpfs -o mode=755 tmpfs "$1"
    for device in null zero full random urandom tty; do
        : >"$1/$device"
        mount --bind "/dev/$device" "$1/$device"
    done
    mkdir "$1/shm" "$1/pts"
    ln -s /proc/self/fd "$1/fd"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$1/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$1/pts"
    ln -s pts/ptmx "$1/ptmx"
}

"${2:-outer}"
