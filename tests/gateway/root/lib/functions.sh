# Stands in for OpenWrt's functions.sh: what a package's maintainer scripts call. $1 is the script, named after its package.
#
# As there: an upgrade (PKG_UPGRADE=1) neither enables nor disables a service, and starts it at its end.

# Runs commands of each init script that the package has installed.
of_services() {
	local package=${1##*/} script command
	package=${package%.*}
	shift
	for script in $(sed -n 's,^\./etc/init\.d/.,&,p' "$IPKG_INSTROOT/usr/lib/opkg/info/$package.list"); do
		for command; do
			[ "$PKG_UPGRADE" = 1 ] && [ "$command" != start ] && [ "$command" != stop ] ||
				sh "$IPKG_INSTROOT/etc/rc.common" "$IPKG_INSTROOT/$script" "$command"
		done
	done
	# What became of it is nobody's business here.
	return 0
}

# A user, and a group of the same name, that the package requires.
add_user() {
	local package=${1##*/} user
	user=$(sed -n 's/^Require-User: \(.*\):.*/\1/p' "$IPKG_INSTROOT/usr/lib/opkg/info/${package%.*}.control")
	[ -n "$user" ] && ! grep -q "^$user:" "$IPKG_INSTROOT/etc/passwd" || return 0
	echo "$user:x:32768:$user" >>"$IPKG_INSTROOT/etc/group"
	echo "$user:x:32768:32768:$user:/var/run/$user:/bin/false" >>"$IPKG_INSTROOT/etc/passwd"
}

default_postinst() {
	add_user "$1"
	of_services "$1" enable start
}
default_prerm() { of_services "$1" disable stop; }
