"""Deletes records of a topic, as retention does, in a process of its own.

confluent-kafka 2.10.1 damages its process's memory in this call, which shows at some later collection, anywhere. So the call is made by a
child that ends without tidying up.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

_TIMEOUT_S = 60.0


def delete_records(servers: str, topic: str, ends: Mapping[int, int] | None = None) -> None:
    """Delete what lies before these offsets.

    Args:
        servers: Kafka's address.
        topic: Its full name.
        ends: The offset that each partition is to begin at; None: whatever is there now is deleted.

    Raises:
        subprocess.CalledProcessError: The broker refused, or did not answer; what it said is on stderr.
    """
    command = [sys.executable, "-m", __name__, servers, topic, json.dumps(None if ends is None else dict(ends))]
    subprocess.run(command, check=True, timeout=_TIMEOUT_S)


def _main(servers: str, topic: str, ends: str) -> None:
    from confluent_kafka import OFFSET_END, TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": servers})
    wanted = json.loads(ends)
    if wanted is None:
        wanted = dict.fromkeys(admin.list_topics(topic, timeout=20).topics[topic].partitions, OFFSET_END)
    places = [TopicPartition(topic, int(number), end) for number, end in wanted.items()]
    for future in admin.delete_records(places, request_timeout=20).values():
        future.result(30)
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
