#!/bin/sh
# Starts a function without namespaces, where the kernel forbids them: /tmp, processes and files are
# shared with the machine. Usage: enter_process.sh RUNTIME VARIABLES [CGROUP.PROCS...].
# stdin as in enter.sh.
set -eu

echo "$$" >&0
exec 5<"$2"
python=$1/bin/python3
shift 2
for procs; do echo 0 >"$procs"; done
set -- "$python"
ulimit -n 1024

(
    read -r pid rest </proc/self/stat
    echo "$pid" >&0
    # From here on nothing of this script may be named: the function's variables come in.
    . /proc/self/fd/5
    export _LAMBDA_TELEMETRY_LOG_FD=3
    exec 2>&1 3>&1 5<&- 0</dev/null
    cd "$LAMBDA_TASK_ROOT"
    unset OLDPWD
    # pdeathsig: the function dies with the shell, which dies with the cloud.
    exec /usr/bin/env setpriv --pdeathsig KILL "$1" -m awslambdaric "$_HANDLER"
)
