# Stands in for OpenWrt's functions.sh: what a package's maintainer scripts call. $1 is the script, named after its package.

# Runs commands of each init script that the package has installed.
of_services() {
	local package=${1##*/} script
	package=${package%.*}
	shift
	for script in $(sed -n 's,^\./etc/init\.d/.,&,p' "/usr/lib/opkg/info/$package.list"); do
		for command; do "/$script" "$command"; done
	done
}

default_postinst() { of_services "$1" enable start; }
default_prerm() { of_services "$1" disable stop; }
