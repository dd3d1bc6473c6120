"""librdkafka's own mock cluster, by its C functions: brokers in this process that answer with the errors that a test asks for."""

from __future__ import annotations

import ctypes
from importlib import metadata
from pathlib import Path
from typing import Self

PRODUCE, FETCH, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 3, 8, 9
"""Kafka's numbers of requests."""
_PRODUCER = 0


def _library() -> ctypes.CDLL:
    """The one that the client uses."""
    files = metadata.files("confluent-kafka") or []
    (path,) = (str(one.locate()) for one in files if Path(str(one)).name.startswith("librdkafka-"))
    made = ctypes.CDLL(path)
    made.rd_kafka_conf_new.restype = made.rd_kafka_new.restype = ctypes.c_void_p
    made.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    made.rd_kafka_destroy.argtypes = made.rd_kafka_mock_cluster_destroy.argtypes = [ctypes.c_void_p]
    made.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    made.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    made.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    made.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    made.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    made.rd_kafka_mock_push_request_errors_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int))
    ]
    made.rd_kafka_mock_broker_set_up.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    made.rd_kafka_mock_broker_set_down.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    return made


class MockCluster:
    """So many brokers, until the block ends."""

    def __init__(self, brokers: int = 3) -> None:
        self._library = _library()
        words = ctypes.create_string_buffer(512)
        self._client = self._library.rd_kafka_new(_PRODUCER, self._library.rd_kafka_conf_new(), words, 512)
        assert self._client, words.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    @property
    def bootstrap(self) -> str:
        return str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create(self, topic: str, partitions: int) -> None:
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 3) == 0

    def answer(self, request: int, *errors: int) -> None:
        """The next requests of this kind get these errors, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def down(self, broker: int) -> None:
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, broker) == 0

    def up(self, broker: int) -> None:
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, broker) == 0
