"""Kafka: one node that is broker and controller (KRaft), on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from typing import TYPE_CHECKING

from embedded_stack import java, ports, probes
from embedded_stack.components.base import Component, Program
from embedded_stack.errors import StackError
from embedded_stack.pins import load_pins

if TYPE_CHECKING:
    from pathlib import Path

# The first compiler alone halves the start (3.5 instead of 7 s of CPU), and a broker on two cores carries 300,000 records a
# round with less CPU in each of the first four rounds: its work is copying, not computing.
JVM_OPTIONS = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


class Kafka(Component):
    """Kafka with auto-creation of topics off and internal topics of one replica."""

    name = "kafka"
    title = "Kafka"
    port_names = ("kafka", "kafka-controller")

    @property
    def address(self) -> str:
        """Bootstrap servers."""
        return f"{ports.LOOPBACK}:{self.port()}"

    def prepare(self) -> Program:
        """Bring jars, configuration and an empty formatted log into place."""
        folder = self.site.folder(self.name)
        jvm = str(java.find_java(java.KAFKA_NEEDS))
        class_path = ":".join(str(path) for path in self.site.cache.files(load_pins()["kafka"], self._downloading))
        properties = folder / "server.properties"
        properties.write_text(self._properties(folder / "log"), encoding="utf-8")
        log4j = folder / "log4j2.properties"
        log4j.write_text(LOG4J, encoding="utf-8")
        if not (folder / "log" / "meta.properties").exists():
            self._format(jvm, class_path, folder)
        argv = [
            jvm,
            *JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={log4j}",
            "-cp",
            class_path,
            "kafka.Kafka",
            str(properties),
        ]
        return Program(argv, {}, folder)

    def is_ready(self) -> bool:
        """Whether the broker answers a metadata request."""
        return ports.accepts_connections(self.port()) and probes.kafka_answers(self.address)

    def _downloading(self, done: int, total: int) -> None:
        self.site.report_download(self.name, done, total)

    def _format(self, jvm: str, class_path: str, folder: Path) -> None:
        """Lay out an empty log folder. Kafka's own tool takes 3 s, so it runs once and its result is copied after."""
        template = self.site.cache.folder(
            f"kafka-log-{pinned_version()}", lambda draft: _run_format(jvm, class_path, draft)
        )
        draft = folder / f"log.{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(template / "log", draft)
        (draft / "meta.properties").write_text(self._meta(), encoding="utf-8")
        draft.rename(folder / "log")

    def _meta(self) -> str:
        return meta_properties(_kafka_uuid(), 1)

    def _properties(self, log_dir: Path) -> str:
        return server_properties(log_dir, self.port(), self.port(f"{self.name}-controller"))


def pinned_version() -> str:
    """The version of Kafka that is pinned."""
    return next(pin.version for pin in load_pins()["kafka"] if pin.artifact == "kafka_2.13")


def server_properties(log_dir: Path, port: int, controller_port: int) -> str:
    """The configuration of a one-node cluster on loopback, made for a fast start and short waits."""
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{ports.LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{ports.LOOPBACK}:{port},CONTROLLER://{ports.LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{ports.LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": log_dir,
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 6000,
        "log.segment.bytes": 128 << 20,
        "log.retention.check.interval.ms": 300_000,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def meta_properties(cluster_id: str, node_id: int) -> str:
    """What a log folder says of the cluster and node that it belongs to."""
    return f"version=1\ncluster.id={cluster_id}\ndirectory.id={_kafka_uuid()}\nnode.id={node_id}\n"


def _kafka_uuid() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _run_format(jvm: str, class_path: str, draft: Path) -> None:
    properties = draft / "server.properties"
    properties.write_text(server_properties(draft / "log", 9092, 9093), encoding="utf-8")
    options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    argv = [
        jvm,
        *options,
        "-cp",
        class_path,
        "kafka.tools.StorageTool",
        "format",
        "-t",
        _kafka_uuid(),
        "-c",
        str(properties),
    ]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    if answer.returncode:
        lines = (answer.stderr + answer.stdout).strip().splitlines() or ["no output"]
        raise StackError(f"Kafka could not lay out its data folder: {lines[-1]}")
    properties.unlink()
