#!/bin/busybox sh
# The first process of a machine that a test boots: it lays out the control groups, runs the test's script, and switches the machine off.
export PATH=/bin:/usr/bin HOME=/tmp SYSTEMD_COLORS=0 SYSTEMD_PAGER=
if [ $$ = 1 ]; then
  /bin/busybox --install -s /bin
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t devtmpfs devtmpfs /dev
  mount -t tmpfs tmpfs /tmp
  ip link set lo up
fi
read -r options </proc/cmdline
layout=${options##*layout=}
layout=${layout%% *}

version_1() {
  mount -t tmpfs cgroup /sys/fs/cgroup
  for controllers in cpu,cpuacct memory pids freezer; do
    mkdir "/sys/fs/cgroup/$controllers"
    mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers"
  done
}
case $layout in
v2) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
v1) version_1 ;;
hybrid)
  version_1
  mkdir /sys/fs/cgroup/unified
  mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
  ;;
# It makes way, and is started again as a service.
v2-systemd) [ $$ != 1 ] || exec /lib/systemd/systemd ;;
none) ;;
esac

# step NAME COMMAND…: what the command says and how it ends go out by the second serial port, where the kernel says nothing.
step() {
  name=$1
  shift
  "$@" >/tmp/said 2>&1
  code=$?
  { echo "== $name $code"; cat /tmp/said; } >/dev/ttyS1
}
. /script
step end true
poweroff -f
