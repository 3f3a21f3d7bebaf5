# Stands in for the shell's side of procd: one instance for each service, supervised by /sbin/supervise.
# What a service asks for beyond that (stderr, term_timeout) holds always: standard error goes to the log, an end may take 10 s.

procd_open_instance() { command= respawn="0 0 0"; }

procd_set_param() {
	local type=$1
	shift
	case $type in
	command) command=$* ;;
	respawn) respawn=$* ;;
	esac
}

procd_close_instance() {
	local run=/var/run/procd/$name
	procd_running "$name" && return
	rm -f "$run/status"
	# In a session of its own: it outlives the shell that starts it.
	setsid supervise "$name" $respawn $command </dev/null >/dev/null 2>&1 &
	# Until it runs, or has ended already.
	until [ -e "$run/pid" ] || [ -e "$run/status" ]; do sleep 0.1; done
}

# Whether the service's program runs.
procd_running() { kill -0 "$(cat "/var/run/procd/$1/pid" 2>/dev/null)" 2>/dev/null; }

procd_send_signal() { kill -"$3" "$(cat "/var/run/procd/$1/pid")"; }

# Ends the program with SIGTERM, after 10 s with SIGKILL, and its supervisor; returns when both have ended.
procd_kill() {
	local run=/var/run/procd/$1 tenths=0
	[ -e "$run/supervisor" ] || return 0
	touch "$run/halt"
	procd_send_signal "$1" '*' TERM 2>/dev/null || kill "$(cat "$run/supervisor")"
	while kill -0 "$(cat "$run/supervisor" 2>/dev/null)" 2>/dev/null; do
		sleep 0.1
		tenths=$((tenths + 1))
		[ $tenths = 100 ] && procd_send_signal "$1" '*' KILL
	done
	rm -f "$run/pid" "$run/supervisor"
}
