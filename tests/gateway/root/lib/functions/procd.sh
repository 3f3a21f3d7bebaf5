# Stands in for the shell's side of procd, and with /sbin/supervise for procd: at most one instance for each service.
#
# As there: no call waits for the end of a program. An instance keeps how often its program has ended, whatever it is set to, until it is
# deleted. A service that is set without an instance loses the one that it had. A program is started anew if something in the instance has
# changed: its words, or what is in a file that it names.
#
# Of an instance, in /var/run/procd/NAME: `message`, all that was asked for; `ends`, the count; `pid`, while its program runs; `supervisor`,
# as long as it may start the program again; `halt`, once its program was told to end; `restart`, if it is to start again then. The
# service is `deleted` if it goes with its instance. The last program's exit status is in /var/run/procd/NAME.status.
procd=$IPKG_INSTROOT/var/run/procd

procd_open_service() { message=; }
procd_open_instance() { :; }
procd_close_instance() { :; }
procd_close_service() { procd_locked set_service "$name"; }

# The message is a line for each parameter.
procd_set_param() {
	[ "$1" != file ] || set -- "$@" "$(md5sum <"$2")"
	message="$message$*
"
}

# procd has one thread: so nothing else happens meanwhile.
procd_locked() {
	(
		flock 9
		"$@"
	) 9>"$procd/lock"
}

set_service() {
	local run=$procd/$1 changed=
	mkdir -p "$run"
	rm -f "$run/deleted"
	if [ -z "$message" ]; then
		stop_instance "$run"
		return
	fi
	[ -e "$run/ends" ] || echo 0 >"$run/ends"
	printf %s "$message" >"$run/new"
	cmp -s "$run/new" "$run/message" || changed=yes
	mv "$run/new" "$run/message"
	if [ ! -e "$run/pid" ]; then
		start_instance "$run"
	elif [ -e "$run/halt" ]; then
		touch "$run/restart"
	elif [ -n "$changed" ]; then
		touch "$run/restart"
		end_program "$run"
	fi
}

start_instance() {
	end_supervisor "$1"
	mkfifo "$1/started"
	# In a session of its own: it outlives the shell that starts it.
	setsid "$IPKG_INSTROOT/sbin/supervise" "$1" </dev/null >/dev/null 2>&1 9>&- &
	cat "$1/started" >/dev/null
	rm "$1/started"
}

stop_instance() {
	if [ -e "$1/pid" ]; then
		rm -f "$1/restart"
		end_program "$1"
	else
		end_supervisor "$1"
		remove_instance "$1"
	fi
}

# If there is one, it waits for the next start.
end_supervisor() {
	[ ! -e "$1/supervisor" ] || kill "$(cat "$1/supervisor")"
}

# SIGTERM, and SIGKILL if that does not do.
end_program() {
	local pid timeout tenths=0
	pid=$(cat "$1/pid")
	timeout=$(sed -n 's/^term_timeout //p' "$1/message")
	touch "$1/halt"
	kill -TERM "$pid" 2>/dev/null
	(
		while kill -0 "$pid" && [ $tenths -lt $((${timeout:-5} * 10)) ]; do
			sleep 0.1
			tenths=$((tenths + 1))
		done
		kill -KILL "$pid"
	) </dev/null >/dev/null 2>&1 9>&- &
}

# Leaves the service, unless that is deleted as well.
remove_instance() {
	local was_deleted
	[ ! -e "$1/deleted" ] || was_deleted=yes
	rm -rf "$1"
	[ -n "$was_deleted" ] || mkdir "$1"
}

procd_kill() { procd_locked delete_service "$1"; }

delete_service() {
	if [ ! -d "$procd/$1" ]; then
		echo "Command failed: Not found" >&2
		return
	fi
	touch "$procd/$1/deleted"
	stop_instance "$procd/$1"
}

# Whether the service's program runs: also when it has been told to end.
procd_running() { [ -e "$procd/$1/pid" ]; }

procd_send_signal() { kill -"$3" "$(cat "$procd/$1/pid")"; }

_procd_status() {
	if [ ! -d "$procd/$1" ]; then
		echo inactive
		return 3
	elif [ ! -e "$procd/$1/message" ]; then
		echo "active with no instances"
	elif [ -e "$procd/$1/pid" ]; then
		echo running
	else
		echo "not running"
		return 5
	fi
}
