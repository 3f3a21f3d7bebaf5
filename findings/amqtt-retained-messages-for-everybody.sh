#!/usr/bin/env bash
# amqtt 0.12.1 (PyPI), in its standard configuration: whoever connects is sent retained messages without a subscription.
#
# One client subscribes to "topic", another publishes a retained message on it. A third one connects with a clean session, and subscribes to nothing.
#
# Expected: the third is sent nothing after CONNACK. Retained messages are sent when a subscription is established [MQTT-3.3.1-6], and this one has none.
# Seen: it is sent the retained message, since any client has subscribed to its topic.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
broker=
trap 'if [ -n "$broker" ]; then kill "$broker" || true; wait "$broker" 2>/dev/null || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check amqtt==0.12.1 transitions==0.9.3 websockets==15.0.1 dacite==1.9.2 >&2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > amqtt.yaml <<YAML
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:$port
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
YAML
environment/bin/amqtt -c amqtt.yaml 2> broker.log &
broker=$!

cat > client.py <<'PY'
import socket, struct, sys, time

PORT = int(sys.argv[1])

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
        self.socket.settimeout(5)
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
publisher.send(0x33, text(b"topic") + b"\0\1" + b"retained")
assert publisher.packet() == (0x40, b"\0\1"), "PUBACK"
publisher.send(0xE0, b"")

stranger = Client(b"stranger")
try:
    first, body = stranger.packet()
    print("sent to a client without a subscription:", hex(first), body)
    is_retained = first >> 4 == 3 and first & 1 == 1
except TimeoutError:
    print("nothing is sent to a client without a subscription")
    is_retained = False
sys.exit(0 if is_retained else 1)
PY
python3 client.py "$port"
