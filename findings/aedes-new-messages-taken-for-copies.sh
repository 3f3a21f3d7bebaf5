#!/usr/bin/env bash
# aedes 1.2.0 (npm), with its own in-memory persistence: a new QoS 2 message is taken for a copy of one from a session that aedes says it does not have.
#
# A client publishes "first" at QoS 2 with packet identifier 1, gets PUBREC, and loses its connection before it can send PUBREL. It connects again
# with clean session 0; CONNACK says session present 0: nothing is left of the old session [MQTT-3.2.2-3]. So it begins afresh, and publishes "second",
# DUP 0, with packet identifier 1.
#
# Expected: a subscriber gets "first" and "second"; or CONNACK says session present 1, and the client knows that identifier 1 is in use.
# Seen: "second" gets PUBREC and PUBCOMP, as if it had been taken over, and no subscriber ever gets it.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
broker=
trap 'if [ -n "$broker" ]; then kill "$broker" || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund aedes@1.2.0 aedes-persistence@11.0.0 aedes-packet@4.0.1 mqtt-packet@9.0.2 mqemitter@7.1.0 >&2
cat > broker.mjs <<'JS'
import { createServer } from 'node:net'
import { writeFileSync, renameSync } from 'node:fs'
import { Aedes } from 'aedes'
const broker = await Aedes.createBroker()
const server = createServer(broker.handle)
server.listen(0, '127.0.0.1', () => {
  writeFileSync('port.new', String(server.address().port))
  renameSync('port.new', 'port')
})
JS
node broker.mjs &
broker=$!

cat > client.py <<'PY'
import os, socket, struct, sys, time

while not os.path.exists("port"):
    time.sleep(0.05)
PORT = int(open("port").read())

def text(value):
    return struct.pack("!H", len(value)) + value

class Client:
    def __init__(self, name, clean):
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.settimeout(5)
        self.send(0x10, text(b"MQTT") + bytes([4, 2 if clean else 0, 0, 60]) + text(name))
        self.session_present = self.packet()[1][0]

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

    def publish(self, payload, identifier):
        """At QoS 2, up to PUBREC."""
        self.send(0x34, text(b"topic") + struct.pack("!H", identifier) + payload)
        assert self.packet() == (0x50, struct.pack("!H", identifier)), "PUBREC"

    def release(self, identifier):
        self.send(0x62, struct.pack("!H", identifier))
        assert self.packet() == (0x70, struct.pack("!H", identifier)), "PUBCOMP"

subscriber = Client(b"subscriber", True)
subscriber.send(0x82, b"\0\1" + text(b"topic") + b"\0")
assert subscriber.packet()[0] == 0x90, "SUBACK"

publisher = Client(b"publisher", False)
publisher.publish(b"first", 1)
publisher.socket.close()

publisher = Client(b"publisher", False)
print("session present after the reconnect:", publisher.session_present)
publisher.publish(b"second", 1)
publisher.release(1)
# A mark, which comes behind all that is still to come.
publisher.publish(b"mark", 2)
publisher.release(2)

arrived = []
while not arrived or arrived[-1] != b"mark":
    arrived.append(subscriber.packet()[1][2 + len(b"topic"):])
print("the subscriber got:", *(payload.decode() for payload in arrived))
swallowed = publisher.session_present == 0 and b"second" not in arrived
print("'second' was acknowledged and swallowed" if swallowed else "this has changed")
sys.exit(0 if swallowed else 1)
PY
python3 client.py
