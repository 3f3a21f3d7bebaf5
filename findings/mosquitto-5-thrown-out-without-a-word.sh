#!/usr/bin/env bash
# Mosquitto 2.0.11 (Debian 12, amd64): an MQTT 5 client that another one of the same name throws out is not told why.
#
# An MQTT 5 client connects, and stays. Then a second one connects with the same client identifier, which is allowed. What does the first one get?
#
# Expected: DISCONNECT with reason code 0x8E (Session taken over), and then the end of the connection [MQTT-3.1.4-3].
# Seen: the end of the connection, and nothing before it.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
broker=
trap 'if [ -n "$broker" ]; then kill "$broker" || true; wait "$broker" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

# Unpacked beside the system: nothing is installed or started.
apt-get download -qq mosquitto=2.0.11-1.2+deb12u2 libcjson1=1.7.15-1+deb12u4 libdlt2=2.18.8-6 libwrap0=7.6.q-32 >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\nuser %s\n' "$port" "$(id -un)" > mosquitto.conf
LD_LIBRARY_PATH=$libraries root/usr/sbin/mosquitto -c mosquitto.conf 2> broker.log &
broker=$!

cat > clients.py <<'PY'
import socket, sys, time

PORT = int(sys.argv[1])
# MQTT 5, a keep-alive of 60 s, the client identifier "twin". With Clean Start 0 and a Session Expiry Interval of 60 s, and with Clean Start 1.
KEPT = bytes.fromhex("10160004" + b"MQTT".hex() + "0500003c" + "05110000003c" + "0004" + b"twin".hex())
CLEAN = bytes.fromhex("10110004" + b"MQTT".hex() + "0502003c" + "00" + "0004" + b"twin".hex())

def connect(packet):
    for _ in range(200):
        try:
            client = socket.create_connection(("127.0.0.1", PORT))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.settimeout(10)
    client.sendall(packet)
    first, length = client.recv(1)[0], client.recv(1)[0]
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    assert first == 0x20 and body[1] == 0, "CONNACK"
    return client

silent = 0
for name, packet in ("Clean Start 0", KEPT), ("Clean Start 1", CLEAN):
    first = connect(packet)
    second = connect(packet)
    got = b""
    try:
        while more := first.recv(100):
            got += more
    except ConnectionResetError:
        pass
    print(f"{name}: before the end of its connection the first client got {got.hex() or 'nothing'}")
    silent += not got
    second.close()
sys.exit(silent != 2)
PY
python3 clients.py "$port"
