#!/usr/bin/env bash
# Redis 7.0.15 (Debian 12, amd64): one channel that a user may not hear refuses a whole SUBSCRIBE, and no word says which it was.
#
# A user may hear "tag/*" (`ACL SETUSER reader ... &tag/*`). SUBSCRIBE names tag/a, other/b and tag/c. Redis answers SUBSCRIBE with one reply for each channel, in
# their order, so that each can have its own.
#
# Expected: subscriptions to tag/a and tag/c, and an error for other/b; or an error that names other/b.
# Seen: one error for all three, "NOPERM ... one of the channels used as arguments", and no subscription.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

# Unpacked beside the system: nothing is installed or started.
apt-get download -qq redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libjemalloc2=5.3.0-1 liblzf1=3.6-3 >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
LD_LIBRARY_PATH=$libraries root/usr/bin/redis-server --port 0 --unixsocket "$folder/socket" --save '' --dir "$folder" > server.log &
server=$!

cat > client.py <<'PY'
import socket, sys, time

for _ in range(200):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect("socket")
        break
    except (FileNotFoundError, ConnectionRefusedError):
        time.sleep(0.1)
connection.settimeout(10)
lines = connection.makefile("rb")

def say(*words):
    text = b"*%d\r\n" % len(words)
    for word in words:
        text += b"$%d\r\n%s\r\n" % (len(word), word.encode())
    connection.sendall(text)

say("ACL", "SETUSER", "reader", "on", ">a-password", "resetchannels", "&tag/*", "+subscribe", "+ping")
assert lines.readline() == b"+OK\r\n"
say("AUTH", "reader", "a-password")
assert lines.readline() == b"+OK\r\n"
say("SUBSCRIBE", "tag/a", "other/b", "tag/c")
answer = lines.readline().decode().strip()
print("SUBSCRIBE tag/a other/b tag/c:", answer)
# A client that has any subscription gets an array in answer to PING.
say("PING")
pong = lines.readline().decode().strip()
print("PING:", pong)
refused = answer.startswith("-NOPERM") and "other/b" not in answer
sys.exit(0 if refused and pong == "+PONG" else 1)
PY
python3 client.py
