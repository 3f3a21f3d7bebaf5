#!/usr/bin/env bash
# Mosquitto 2.0.11 (Debian 12, amd64), with its standard limits: QoS 2 messages that are acknowledged and thrown away.
#
# An MQTT 3.1.1 client sends 100 PUBLISH packets at QoS 2 with different packet identifiers, before it answers the PUBREC of any with PUBREL. Then it
# releases all of them. A subscriber takes in all that comes.
#
# Expected: what gets PUBREC and PUBCOMP is delivered [MQTT-4.3.3-2]; a broker that takes no more stops reading, or closes the connection. The manual says of
# max_inflight_messages (20) that it limits outgoing messages.
# Seen: all 100 get PUBREC and PUBCOMP, and 20 are delivered.
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

cat > client.py <<'PY'
import socket, struct, sys, time

PORT = int(sys.argv[1])
COUNT = 100

def text(value):
    return struct.pack("!H", len(value)) + value

class Client:
    def __init__(self, name):
        for _ in range(200):
            try:
                self.socket = socket.create_connection(("127.0.0.1", PORT))
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        self.socket.settimeout(10)
        self.send(0x10, text(b"MQTT") + bytes([4, 2, 0, 60]) + text(name))
        assert self.packet() == (0x20, b"\0\0"), "CONNACK"

    def send(self, first, body):
        self.socket.sendall(bytes([first, len(body)]) + body)

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the broker closes the connection")
            data += more
        return data

    def packet(self):
        first, length = self.take(2)
        return first, self.take(length)

subscriber = Client(b"subscriber")
subscriber.send(0x82, b"\0\1" + text(b"topic") + b"\0")
assert subscriber.packet()[0] == 0x90, "SUBACK"

publisher = Client(b"publisher")
identifiers = [struct.pack("!H", number) for number in range(1, COUNT + 1)]
for identifier in identifiers:
    publisher.send(0x34, text(b"topic") + identifier + b"a message")
recorded = [publisher.packet() for _ in identifiers]
for identifier in identifiers:
    publisher.send(0x62, identifier)
completed = [publisher.packet() for _ in identifiers]
acknowledged = recorded == [(0x50, one) for one in identifiers] and completed == [(0x70, one) for one in identifiers]

# A mark at QoS 0, which comes behind all that is still to come.
publisher.send(0x30, text(b"topic") + b"mark")
delivered = 0
while subscriber.packet()[1] != text(b"topic") + b"mark":
    delivered += 1
print(f"all {COUNT} acknowledged: {acknowledged}; delivered: {delivered}")
sys.exit(0 if acknowledged and delivered < COUNT else 1)
PY
python3 client.py "$port"
