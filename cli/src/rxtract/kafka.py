"""How the command line connects to Kafka: the stack's address, and security from the variables that services read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rxtract.errors import UserError

if TYPE_CHECKING:
    from rxtract.addresses import StackAddresses


def client_config(addresses: StackAddresses, client_id: str) -> dict[str, Any]:
    """Return the part of librdkafka's configuration that every client of the command line shares.

    Raises:
        UserError: a security variable cannot be used, or a secured broker refuses us.
    """
    from runtime.errors import SettingsError
    from runtime.service.kafka_login import check_login
    from runtime.service.settings import KafkaSecurity

    addresses.need("bootstrap_servers")
    try:
        security = KafkaSecurity.load().security_config()
        config = {"bootstrap.servers": addresses.bootstrap_servers, "client.id": client_id, **security}
        check_login(config)
    except SettingsError as error:
        raise UserError(str(error)) from None
    return config
