"""Deletes records of a topic, as retention does, in a process of its own.

confluent-kafka 2.10.1 damages its process's memory in this call, which shows at some later collection, anywhere. So the call is made by a
child that ends without tidying up.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

_TIMEOUT_S = 60.0


def delete_records(servers: str | Mapping[str, Any], topic: str, ends: Mapping[int, int] | None = None) -> None:
    """Delete what lies before these offsets.

    Args:
        servers: Kafka's address, or a client's whole configuration.
        topic: Its full name.
        ends: The offset that each partition is to begin at; None: whatever is there now is deleted.

    Raises:
        subprocess.CalledProcessError: The broker refused, or did not answer; `stderr` is what it said.
        subprocess.TimeoutExpired: Nobody said anything.
    """
    config = {"bootstrap.servers": servers} if isinstance(servers, str) else dict(servers)
    # A password in it is not for the list of processes.
    asked = json.dumps([config, topic, None if ends is None else dict(ends)])
    command = [sys.executable, "-m", __name__]
    subprocess.run(command, input=asked, stderr=subprocess.PIPE, text=True, check=True, timeout=_TIMEOUT_S)


def _main() -> None:
    from confluent_kafka import OFFSET_END, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    config, topic, wanted = json.load(sys.stdin)
    admin = AdminClient(config)
    code = 0
    try:
        if wanted is None:
            wanted = dict.fromkeys(admin.list_topics(topic, timeout=20).topics[topic].partitions, OFFSET_END)
        places = [TopicPartition(topic, int(number), end) for number, end in wanted.items()]
        for future in admin.delete_records(places, request_timeout=20).values():
            future.result(30)
    except KafkaException as error:
        sys.stderr.write(error.args[0].str())
        sys.stderr.flush()
        code = 1
    os._exit(code)


if __name__ == "__main__":
    _main()
