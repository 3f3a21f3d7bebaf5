#!/usr/bin/env bash
# Redis 7.0.15 (Debian 12, amd64): PING is refused once a save to disk has failed, though it writes nothing.
#
# The server is to save (`save 3600 1`), and its folder is gone when it does. From then on it takes no writes (stop-writes-on-bgsave-error), which its
# configuration file explains as "Redis will stop accepting writes".
#
# Expected: SET is refused with MISCONF, GET and PING are answered: PING asks whether the server is there.
# Seen: SET and PING are refused with MISCONF, GET is answered. A client that takes an error to PING for a dead server, as a health check may, leaves one that
# serves every reader and subscriber.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
# With SIGTERM it would try to save once more, fail, and go on.
trap 'if [ -n "$server" ]; then kill -KILL "$server" || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

# Unpacked beside the system: nothing is installed or started.
apt-get download -qq redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3 >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH=$libraries
mkdir data
root/usr/bin/redis-server --port 0 --unixsocket "$folder/socket" --save '3600 1' --dir "$folder/data" > server.log &
server=$!
ask() { root/usr/bin/redis-cli -s "$folder/socket" "$@" 2>&1; }
for _ in $(seq 200); do
    if [ "$(ask ping || true)" = PONG ]; then break; fi
    sleep 0.1
done
before=$(ask ping)
rmdir data
ask set key value > /dev/null
ask bgsave > /dev/null
for _ in $(seq 200); do
    if ask info persistence | grep -q 'rdb_last_bgsave_status:err'; then break; fi
    sleep 0.1
done
after=$(ask ping || true) written=$(ask set key other || true) read=$(ask get key)
printf 'PING before: %s\nPING after: %.60s\nSET after: %.60s\nGET after: %s\n' "$before" "$after" "$written" "$read"
case "$before|$after|$written|$read" in
    PONG\|MISCONF*\|MISCONF*\|value) exit 0 ;;
    *) exit 1 ;;
esac
