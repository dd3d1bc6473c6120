"""What cannot work is said at the start, in one line that tells what to do."""

from pathlib import Path
from typing import Any, cast

import pytest
from review_desk.adapters.store import Store
from review_desk.bootstrap import share
from review_desk.settings import ReviewDeskSettings
from runtime.errors import SettingsError
from runtime.service.secret_files import hash_token


def start(folder: Path, **more: Any) -> None:
    (folder / "key").write_bytes(b"k" * 40)
    settings = ReviewDeskSettings(
        bootstrap_servers="b:1",
        schema_registry_url="http://s",
        desk_key_file=folder / "key",
        pseudonym_key_file=folder / "key",
        redis_url="redis://r",
        **more,
    )
    share(settings, cast("Store", object()))


def test_nobody_could_log_in(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RXTRACT_DESK_TOKENS_FILE"):
        start(tmp_path)


@pytest.mark.parametrize("secret_hash", ["", "proxy-secret", hash_token("x")[:-1], hash_token("x")[:-1] + "g"])
def test_a_proxy_that_cannot_prove_itself_is_told_of(tmp_path: Path, secret_hash: str) -> None:
    with pytest.raises(SettingsError, match=r"RXTRACT_DESK_PROXY_SECRET_HASH .* sha256sum") as told:
        start(tmp_path, desk_proxy_user_header="X-Forwarded-User", desk_proxy_secret_hash=secret_hash)
    assert "\n" not in str(told.value)
    assert not secret_hash or secret_hash not in str(told.value)


def test_a_secret_without_a_user_header_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"anna:lead:{hash_token('t')}")
    with pytest.raises(SettingsError, match="RXTRACT_DESK_PROXY_USER_HEADER"):
        start(tmp_path, desk_tokens_file=tmp_path / "tokens", desk_proxy_secret_hash=hash_token("x"))


def test_a_proxy_alone_lets_people_in(tmp_path: Path) -> None:
    digest = hash_token("proxy-secret").upper()
    start(tmp_path, desk_proxy_user_header="X-Forwarded-User", desk_proxy_secret_hash=digest)
