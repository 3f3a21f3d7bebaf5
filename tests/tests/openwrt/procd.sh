# Stands in for OpenWrt's rc.common and procd: runs one command of an init script, in a system of a few variables. What the script asks of
# procd and of the system log comes out as one line for each call, and a service that is sent to procd between `service` and `sent`.
#
#	procd.sh SCRIPT COMMAND PROGRAM CONFIGURATIONS CALLS UPTIME
#
# UPTIME is in hundredths of a second. CALLS is how many calls of procd_running answer yes, after which the daemon has ended. A `sleep` takes the tenth of a second that it
# should, on a clock of its own, which a call of procd_running does not move.
#
# As in rc.common: what start_service returns is ignored, `start`, `stop` and `reload` are these here, other commands the script may replace.
script=$1 command=$2

# Not into what a caller captures.
exec 3>&1
say() { echo "$@" >&3; }
logger() { sed "s/^/log $*: /" >&3; }
sleep() {
	say "sleep $*"
	clock=$((clock + 10))
	show_clock
}
show_clock() { echo "$((clock / 100)).$((clock / 10 % 10))$((clock % 10)) 0.00" >"$UPTIME"; }

procd_open_instance() { say open; }
procd_set_param() { say "set $*"; }
procd_close_instance() { say close; }
procd_send_signal() { say "signal $*"; }
procd_kill() { say "kill $*"; }
procd_running() {
	[ "$calls" -gt 0 ] || return 1
	calls=$((calls - 1))
}

restart() {
	stop
	start
}
shutdown() { stop; }
boot() { start; }
stop_service() { :; }

. "$script"
start() {
	say service
	start_service
	say sent
}
stop() {
	stop_service
	procd_kill mqtt-client
}
reload() { reload_service; }

PROG=$3 CONFIGS=$4 RUN=${3%/*}/run calls=$5 UPTIME=${3%/*}/uptime clock=$6
show_clock
"$command"
