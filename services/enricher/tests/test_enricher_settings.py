"""What keeps an enricher from starting is one line that says what to do."""

import pytest
from enricher.bootstrap import bootstrap, open_coder
from enricher.settings import EnricherSettings
from runtime.errors import SettingsError
from terminology.table import Coding, Draft, NameRow, write

NEEDED = {"bootstrap_servers": "127.0.0.1:1", "schema_registry_url": "http://127.0.0.1:1"}


def table(folder, serial):
    draft = Draft("base", "1", serial=serial)
    draft.concepts = [Coding("urn:x:y", "A", "Alpha")]
    draft.names = [NameRow("alpha", (0,), 0.9, "imported")]
    write(draft, folder / "base.table")
    return folder


def test_no_tables_at_all(tmp_path):
    with pytest.raises(
        SettingsError, match=r"RXTRACT_TERMINOLOGY_DIR: no terminology .* run `rxtract terminology build`"
    ):
        open_coder(EnricherSettings(**NEEDED, terminology_dir=tmp_path))


def test_a_table_of_another_format(tmp_path):
    (table(tmp_path, 5) / "other.table").write_bytes(b"no table")
    with pytest.raises(SettingsError, match="is not a terminology table: build or import it anew"):
        open_coder(EnricherSettings(**NEEDED, terminology_dir=tmp_path))


def test_a_table_without_a_serial_orders_nothing(tmp_path):
    with pytest.raises(SettingsError, match=r"no serial, .* build or import them anew, or set RXTRACT_TABLE_SERIAL"):
        open_coder(EnricherSettings(**NEEDED, terminology_dir=table(tmp_path, 0)))
    assert open_coder(EnricherSettings(**NEEDED, terminology_dir=tmp_path, table_serial=9)).serial == 9


def test_info_names_the_tables(tmp_path):
    settings = EnricherSettings(**NEEDED, terminology_dir=table(tmp_path, 7))
    info = bootstrap(settings).info()
    assert info["table_serial"] == 7
    assert info["tables"].startswith("base-")


def test_a_profile_that_nobody_knows(tmp_path):
    settings = EnricherSettings(**NEEDED, terminology_dir=table(tmp_path, 7), fhir_profiles="op-consult,ccda")
    with pytest.raises(
        SettingsError, match=r"RXTRACT_FHIR_PROFILES: unknown profile 'ccda': give one of op-consult, prescription, r4"
    ):
        bootstrap(settings)


def test_info_names_the_documents_that_are_made(tmp_path):
    settings = EnricherSettings(
        **NEEDED, terminology_dir=table(tmp_path, 7), fhir_profiles="prescription, op-consult,prescription"
    )
    assert bootstrap(settings).info()["fhir_profiles"] == ["prescription", "op-consult"]
