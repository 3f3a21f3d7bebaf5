# Stands in for OpenWrt's rc.common and procd: takes the init script in, and runs one of its functions. What the function asks of procd
# and of the system log comes out as one line for each call.
#
#	procd.sh SCRIPT FUNCTION PROGRAM CONFIGURATIONS RUNNING

procd_open_instance() { echo "open"; }
procd_set_param() { echo "set $*"; }
procd_close_instance() { echo "close"; }
procd_send_signal() { echo "signal $*"; }
procd_running() { [ "$running" = "$1" ]; }
start() { start_service; }
# Not into what a caller captures.
exec 3>&1
logger() { sed "s/^/log $*: /" >&3; }

. "$1"
function=$2 PROG=$3 CONFIGS=$4 running=$5
"$function"
