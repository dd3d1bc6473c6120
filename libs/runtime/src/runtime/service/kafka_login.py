"""Whether Kafka lets us in: a wrong authority or password is told at the start in one line, not waited out for ever.

A broker that is merely away is no fault of the settings: services start before it and wait. So only what a secured broker itself says
against us ends a start. Without TLS and SASL nothing is asked.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from runtime.errors import SettingsError

WAIT_S = 5.0
_ASK_S = 0.5
_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - that is how the client names its own codes
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
    }
)


def check_login(
    config: Mapping[str, Any], wait_s: float = WAIT_S, make: Callable[[dict[str, Any]], AdminClient] = AdminClient
) -> None:
    """Ask a secured broker for its topics; return when it answers, or when it is away.

    Args:
        config: librdkafka's settings of a client.
        wait_s: For how long.
        make: Makes the client.

    Raises:
        SettingsError: The certificate or the login is refused, or a file cannot be used. One line.
    """
    if config.get("security.protocol", "PLAINTEXT") == "PLAINTEXT":
        return
    errors: list[KafkaError] = []
    quiet = {"error_cb": errors.append, "log_level": 0}
    try:
        client = make({key: value for key, value in config.items() if key != "logger"} | quiet)
    except KafkaException as error:
        raise SettingsError(
            f"Kafka's client does not take the security settings ({error.args[0].str()}): "
            "check RXTRACT_SSL_CA_LOCATION, RXTRACT_SASL_MECHANISM and their kin"
        ) from None
    deadline_s = time.monotonic() + wait_s
    while time.monotonic() < deadline_s:
        try:
            client.list_topics(timeout=_ASK_S)
        except KafkaException as error:
            errors.append(error.args[0])
        else:
            return
        client.poll(0)
        for one in errors:
            _judge(one, str(config.get("bootstrap.servers", "")))
        errors.clear()


def _judge(error: KafkaError, where: str) -> None:
    if error.code() in _REFUSED:
        raise SettingsError(
            f"Kafka at {where} refuses the login: check RXTRACT_SASL_USERNAME, RXTRACT_SASL_PASSWORD and RXTRACT_SASL_MECHANISM"
        )
    if error.code() == KafkaError._SSL:  # noqa: SLF001
        raise SettingsError(
            f"no TLS with Kafka at {where}: check that RXTRACT_SSL_CA_LOCATION holds the authority of its certificate, "
            "which must name this address, and that it speaks RXTRACT_SECURITY_PROTOCOL"
        )
