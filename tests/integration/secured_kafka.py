"""A broker with TLS and SCRAM on loopback, beside its plain listener: Kafka as it is in production, with an authority of its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from embedded_stack import ports
from embedded_stack.components.kafka import Kafka
from embedded_stack.stack import SERVERS, EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from confluent_kafka.admin import AclBinding

USER, PASSWORD = "rxtract", "password-of-the-test"
MECHANISM = "SCRAM-SHA-512"


class Authority:
    """Signs certificates; gone after the test."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._made(self._name, self._key.public_key(), authority=True)

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self) -> bytes:
        """Key and certificate of a server on loopback, as Kafka reads them."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka")])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        own = self._made(subject, key.public_key(), authority=False).public_bytes(serialization.Encoding.PEM)
        return private + own + self.pem

    def _made(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ports.LOOPBACK))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(alternative, critical=False)
            .sign(self._key, hashes.SHA256())
        )


class SecuredKafka(Kafka):
    """Has one more listener, for clients."""

    port_names = ("kafka", "kafka-controller", "kafka-secured")
    authority: ClassVar[Authority]
    users: ClassVar[Mapping[str, str]] = MappingProxyType({USER: PASSWORD})
    """Passwords by user."""
    more: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """More of the broker's configuration."""

    @property
    def secured(self) -> str:
        return f"{ports.LOOPBACK}:{self.port('kafka-secured')}"

    def when_ready(self) -> None:
        super().when_ready()
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = [UserScramCredentialUpsertion(user, how, word.encode()) for user, word in self.users.items()]
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.alter_user_scram_credentials(wanted).values():
            future.result(30)

    def _properties(self, log_dir: Path) -> str:
        store = log_dir.parent / "server.pem"
        store.write_bytes(self.authority.server())
        store.chmod(0o600)
        lines = dict(line.split("=", 1) for line in super()._properties(log_dir).splitlines())
        prefix = "listener.name.secured"
        lines |= {
            "listeners": f"{lines['listeners']},SECURED://{self.secured}",
            "advertised.listeners": f"{lines['advertised.listeners']},SECURED://{self.secured}",
            "listener.security.protocol.map": f"{lines['listener.security.protocol.map']},SECURED:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            f"{prefix}.sasl.enabled.mechanisms": MECHANISM,
            f"{prefix}.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            f"{prefix}.ssl.keystore.type": "PEM",
            f"{prefix}.ssl.keystore.location": str(store),
            **self.more,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


class StrictKafka(SecuredKafka):
    """Refuses what no right names; whoever comes by the plain listener may do all, as the broker itself does."""

    more: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
    )


def grant(plain: str, rights: list[AclBinding]) -> None:
    """The client stays named until every answer is there: one that is dropped takes its answers with it."""
    admin = AdminClient({"bootstrap.servers": plain})
    for future in admin.create_acls(rights).values():
        future.result(30)


@contextmanager
def secured_stack(
    folder: Path, broker: type[SecuredKafka] = SecuredKafka, users: Collection[str] = (USER,)
) -> Iterator[tuple[str, dict[str, str]]]:
    """A broker of that kind and a registry: its plain address, and the environment of a client that may come in but for the user's name."""
    broker.authority = Authority("the right one")
    broker.users = dict.fromkeys(users, PASSWORD)
    (folder / "ca.pem").write_bytes(broker.authority.pem)
    servers = {**SERVERS, "kafka": broker}
    with EmbeddedStack(folder, ephemeral=True, components=("kafka", "registry"), servers=servers) as stack:
        yield (
            stack.addresses.bootstrap_servers,
            {
                "RXTRACT_BOOTSTRAP_SERVERS": stack._components["kafka"].secured,
                "RXTRACT_SCHEMA_REGISTRY_URL": stack.addresses.schema_registry_url,
                "RXTRACT_SECURITY_PROTOCOL": "SASL_SSL",
                "RXTRACT_SASL_MECHANISM": MECHANISM,
                "RXTRACT_SASL_PASSWORD": PASSWORD,
                "RXTRACT_SSL_CA_LOCATION": str(folder / "ca.pem"),
            },
        )
