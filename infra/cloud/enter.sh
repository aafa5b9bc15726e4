#!/bin/sh
# Enters an execution environment: runs as pid 1 of fresh mount and pid namespaces, none of whose
# mounts reach the machine. Usage: enter.sh FSTAB VARIABLES [CGROUP.PROCS...]
# stdin is a pipe to the cloud: two lines with process ids, as the cloud numbers them, go there; its
# end tells the cloud that this shell is gone.
set -eu

# The machine's own /proc: a process finds there which number the machine gives it.
exec 4</proc 5<"$2"
read -r pid rest </proc/self/fd/4/self/stat
echo "$pid" >&0

fstab=$1
shift 2
# Joined while the machine's file systems can be reached; 0 means this process.
for procs; do echo 0 >"$procs"; done

# In this order: once the machine's folders are covered, no tool of it may be needed.
mount -o remount,bind,ro /
mount --all --fstab "$fstab"
cd /var/task
unset OLDPWD
ulimit -n 1024

# The function is not pid 1: it would get no default signal handling, and would inherit orphans.
(
    read -r pid rest </proc/self/fd/4/self/stat
    echo "$pid" >&0
    # From here on nothing of this script may be named: the function's variables come in.
    . /proc/self/fd/5
    # Output and framed log records share one pipe, so they keep their order.
    export _LAMBDA_TELEMETRY_LOG_FD=3
    exec 2>&1 3>&1 4<&- 5<&- 0</dev/null
    exec /var/lang/bin/python3 -m awslambdaric "$_HANDLER"
)
