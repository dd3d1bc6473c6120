"""The schema registry: Apicurio, by its Confluent-compatible API."""

from __future__ import annotations

from embedded_stack import java, ports, probes
from embedded_stack.components.base import Component, Program
from embedded_stack.pins import load_pins

JVM_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
API_PATH = "/apis/ccompat/v7"


class SchemaRegistry(Component):
    """Apicurio on an H2 file, or in memory when the stack is ephemeral."""

    name = "registry"
    title = "Schema registry"
    port_names = ("registry", "registry-management")

    @property
    def address(self) -> str:
        """Base URL of the Confluent-compatible API."""
        return f"http://{ports.LOOPBACK}:{self.port()}{API_PATH}"

    def prepare(self) -> Program:
        """Unpack the server and choose its storage."""
        folder = self.site.folder("registry")
        jvm = str(java.find_java(java.REGISTRY_NEEDS))
        (pin,) = load_pins()["registry"]
        self.site.cache.files([pin], self._downloading)
        home = self.site.cache.unpacked(pin)
        env = {
            "QUARKUS_HTTP_HOST": ports.LOOPBACK,
            "QUARKUS_HTTP_PORT": str(self.port()),
            "QUARKUS_MANAGEMENT_HOST": ports.LOOPBACK,  # else it listens on all interfaces, on 9000
            "QUARKUS_MANAGEMENT_PORT": str(self.port("registry-management")),
            "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "2",
            "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "2",
            "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "20",
        }
        if not self.site.ephemeral:
            env["APICURIO_DATASOURCE_URL"] = f"jdbc:h2:file:{folder / 'schemas'}"
        return Program([jvm, *JVM_OPTIONS, "-jar", str(home / "quarkus-run.jar")], env, folder)

    def is_ready(self) -> bool:
        """Whether it lists its subjects."""
        return ports.accepts_connections(self.port()) and probes.http_ok(f"{self.address}/subjects")

    def _downloading(self, done: int, total: int) -> None:
        self.site.report_download(self.name, done, total)
