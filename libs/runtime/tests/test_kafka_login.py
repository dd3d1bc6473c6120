"""What a secured broker says against us ends a start; a broker that is away does not."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from runtime.errors import SettingsError
from runtime.service.kafka_login import check_login

SECURED = {"bootstrap.servers": "kafka:9093", "security.protocol": "SASL_SSL", "sasl.password": "guessed-secret"}


class Broker:
    """Answers with one error, or at all; by its callback or by its answer."""

    def __init__(self, error: int | None, *, by_callback: bool = False) -> None:
        self.error = None if error is None else KafkaError(error)
        self.by_callback = by_callback
        self.asked = 0

    def __call__(self, config: dict[str, Any]) -> Any:
        self.config = config
        return self

    def list_topics(self, timeout: float) -> None:
        self.asked += 1
        if self.error is None:
            return
        if self.by_callback:
            self.config["error_cb"](self.error)
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        raise KafkaException(self.error)

    def poll(self, timeout: float) -> None:
        pass


def test_without_security_nothing_is_asked() -> None:
    broker = Broker(KafkaError._TRANSPORT)
    check_login({"bootstrap.servers": "kafka:9092"}, make=broker)
    check_login({"bootstrap.servers": "kafka:9092", "security.protocol": "PLAINTEXT"}, make=broker)
    assert broker.asked == 0


def test_an_answer_is_enough() -> None:
    broker = Broker(None)
    check_login(SECURED, make=broker)
    assert broker.asked == 1


def test_a_broker_that_is_away_is_not_our_settings_fault() -> None:
    broker = Broker(KafkaError._TRANSPORT)
    check_login(SECURED, wait_s=0.05, make=broker)
    assert broker.asked > 1


@pytest.mark.parametrize("by_callback", [True, False])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError._AUTHENTICATION, "RXTRACT_SASL_PASSWORD"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, "RXTRACT_SASL_PASSWORD"),
        (KafkaError.UNSUPPORTED_SASL_MECHANISM, "RXTRACT_SASL_MECHANISM"),
        (KafkaError._SSL, "RXTRACT_SSL_CA_LOCATION"),
    ],
)
def test_a_refusal_is_one_line_that_names_the_setting(code: int, expected: str, *, by_callback: bool) -> None:
    with pytest.raises(SettingsError, match=expected) as error:
        check_login(SECURED, wait_s=5, make=Broker(code, by_callback=by_callback))
    assert "\n" not in str(error.value)
    assert "guessed-secret" not in str(error.value)
