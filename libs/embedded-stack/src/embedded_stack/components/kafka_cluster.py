"""Kafka as three nodes, each broker and controller: topics of three replicas, of which two must have a record."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, ClassVar

from embedded_stack import ports, probes
from embedded_stack.components.kafka import Kafka, meta_properties

if TYPE_CHECKING:
    from pathlib import Path

    from embedded_stack.components.base import Component

NODES = ("kafka", "kafka-2", "kafka-3")
COPIES, IN_SYNC = 3, 2


class ClusterNode(Kafka):
    """One of three. All have the controllers of all, so one may be away and the others go on."""

    node_id: ClassVar[int]

    @property
    def own_address(self) -> str:
        """Where this node answers."""
        return f"{ports.LOOPBACK}:{self.port()}"

    @property
    def address(self) -> str:
        """Bootstrap servers: all nodes, of which a client needs any."""
        return ",".join(f"{ports.LOOPBACK}:{self.port(name)}" for name in NODES)

    def is_ready(self) -> bool:
        """Whether this node answers and is one of the cluster's living brokers."""
        return ports.accepts_connections(self.port()) and self.node_id in probes.kafka_brokers(self.own_address)

    def _meta(self) -> str:
        cluster = base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_URL, str(self.site.data_dir)).bytes)
        return meta_properties(cluster.decode().rstrip("="), self.node_id)

    def _properties(self, log_dir: Path) -> str:
        voters = [
            f"{number}@{ports.LOOPBACK}:{self.port(f'{name}-controller')}" for number, name in enumerate(NODES, 1)
        ]
        lines = dict(line.split("=", 1) for line in super()._properties(log_dir).splitlines())
        lines |= {"node.id": str(self.node_id), "controller.quorum.voters": ",".join(voters)}
        lines |= {"default.replication.factor": str(COPIES), "min.insync.replicas": str(IN_SYNC)}
        for topic, least in (
            ("offsets.topic", ""),
            ("transaction.state.log", "transaction.state.log.min.isr"),
            ("share.coordinator.state.topic", "share.coordinator.state.topic.min.isr"),
        ):
            lines[f"{topic}.replication.factor"] = str(COPIES)
            lines |= {least: str(IN_SYNC)} if least else {}
        return "".join(f"{key}={value}\n" for key, value in lines.items())


def node_class(number: int) -> type[Component]:
    """What stands behind the name of the node of this number, from 1 on."""
    name = NODES[number - 1]
    fields = {
        "name": name,
        "title": f"Kafka {number}",
        "port_names": (name, f"{name}-controller"),
        "node_id": number,
    }
    return type(f"ClusterNode{number}", (ClusterNode,), fields)


CLUSTER: dict[str, type[Component]] = {name: node_class(number) for number, name in enumerate(NODES, 1)}
