"""The bridge as a Python programmer would write it with paho-mqtt and redis-py.

To be compared with, not to be used: it ends when a connection does.

bridge.py REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...
"""

import re
import sys

import redis
from paho.mqtt.client import CallbackAPIVersion, Client

SAMPLE = re.compile(rb" *([+-]?(?:nan|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)) *, *(\d+) *(?:,(.*))?", re.IGNORECASE)
BAD = re.compile(rb"(?<![a-z0-9_])(?:iv|nt|ov)(?![a-z0-9_])", re.IGNORECASE)


def convert(message):
    """`value,timestamp,flags` to `value,timestamp,quality`; None if it is malformed."""
    match = SAMPLE.fullmatch(message)
    if not match:
        return None
    value, timestamp, flags = match.groups()
    quality = b"0" if flags and BAD.search(flags) else b"1"
    return b"%b,%b,%b" % (value, timestamp, quality)


def main():
    redis_port, broker_port, qos, window = map(int, sys.argv[1:5])
    client = Client(CallbackAPIVersion.VERSION2, client_id="peer-python", clean_session=qos == 0)
    client.max_inflight_messages_set(window)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", broker_port)
    client.loop_start()

    subscriber = redis.Redis(port=redis_port).pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe(*sys.argv[5:])
    for message in subscriber.listen():
        payload = convert(message["data"])
        if payload:
            client.publish(message["channel"].decode(), payload, qos)


main()
