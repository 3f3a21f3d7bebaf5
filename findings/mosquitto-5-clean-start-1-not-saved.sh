#!/usr/bin/env bash
# Mosquitto 2.0.11 (Debian 12, amd64): an MQTT 5 session that began with Clean Start 1 is lost when the broker restarts, whatever its expiry.
#
# persistence is true. An MQTT 5 client connects with a Session Expiry Interval of a day: with Clean Start 0; with Clean Start 1; with Clean Start 1, and
# then again with Clean Start 0, which resumes the session. Each time Mosquitto then gets SIGTERM, with which it saves its sessions, and is started again.
# Does it have the session?
#
# Expected: each time. Clean Start says how a session begins; how long it is kept says the Session Expiry Interval alone (MQTT 5, 3.1.2.4 and 3.1.2.11.2).
# Seen: not after Clean Start 1, until that session was resumed once with Clean Start 0.
#
# Exits 0 while that holds, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Unpacked beside the system: nothing is installed or started.
apt-get download -qq mosquitto=2.0.11-1.2+deb12u2 libcjson1=1.7.15-1+deb12u4 libdlt2=2.18.8-6 libwrap0=7.6.q-32 >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$folder/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)

cat > sessions.py <<'PY'
import pathlib, socket, subprocess, sys, time

# MQTT 5, a keep-alive of 60 s, a Session Expiry Interval of a day, the client identifier "gw".
def connect_packet(clean_start):
    return bytes.fromhex("10140004" + b"MQTT".hex() + f"05{clean_start * 2:02x}003c" + "051100015180" + "0002" + b"gw".hex())

def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]

class Broker:
    def __init__(self, name):
        self.port = free_port()
        self.folder = pathlib.Path(name).absolute()
        self.folder.mkdir()
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser {user}\npersistence true\npersistence_location {self.folder}/\n")
        self.start()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(["root/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"], stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    # Connects, leaves with DISCONNECT, and returns Session Present.
    def has_session(self, clean_start):
        for _ in range(200):
            try:
                client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        client.sendall(connect_packet(clean_start))
        packet = client.recv(2)
        while len(packet) < 2 + packet[1]:
            packet += client.recv(2 + packet[1] - len(packet))
        assert packet[0] == 0x20 and packet[3] == 0, "CONNACK"
        client.sendall(b"\xe0\x00")
        while client.recv(100):
            pass
        client.close()
        return packet[2] & 1 == 1

seen = []
for name, connections in ("Clean Start 0", [0]), ("Clean Start 1", [1]), ("Clean Start 1, then 0", [1, 0]):
    broker = Broker(name.replace(" ", "-"))
    for clean_start in connections:
        broker.has_session(clean_start)
    broker.stop()
    broker.start()
    seen.append(broker.has_session(0))
    broker.stop()
    print(f"{name}: after the restart the session is {'there' if seen[-1] else 'gone'}")
sys.exit(seen != [True, False, True])
PY
LD_LIBRARY_PATH=$libraries python3 sessions.py
