"""What every key store must do, file or database: one suite judges both, on a real PostgreSQL server."""

import os
import secrets
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from contracts.reasons import Reason
from contracts.records import NoteAccepted
from contracts.wire import WireError
from embedded_stack.postgres import ADMIN
from runtime.errors import Recoverable, SettingsError
from sealing import (
    KeyErased,
    KeyStoreAway,
    KeyUnknown,
    MasterKeyRefused,
    MasterKeys,
    PatientKeys,
    StoredKey,
    open_keys,
    open_store,
    seal,
    unseal,
)
from sealing.erasures import SETTLED_S, Erasures
from sealing.errors import StaleMaster
from sealing.keys import LOOK_EVERY_S
from sealing.masters import master_id, new_master, read_masters, write_masters
from sealing.postgres import ERASER, READER, SEALER, PostgresKeyStore
from sealing.rotation import back_up, initialise, prepare, restore, rotate

EXAMPLE = min((Path(__file__).parents[3] / "schemas/examples/notes.accepted.v1").glob("*.json"))


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def database(server):
    """A new database with a user of its own, who may do what a hospital's administrator would let it do."""
    name = f"k{secrets.token_hex(6)}"
    with psycopg.connect(server.url(), autocommit=True) as db:
        db.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{server.password}'")
        db.execute(f"CREATE DATABASE {name} OWNER {name}")
    return server.url(name, database=name)


def of_role(server, url, role):
    """A login of one of the store's roles."""
    name, base = f"u{secrets.token_hex(6)}", url.rsplit("/", 1)[1]
    with psycopg.connect(server.url(), autocommit=True) as db:
        db.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{server.password}'")
        if role:
            db.execute(f"GRANT {role} TO {name}")
    return server.url(name, database=base)


@pytest.fixture(scope="session")
def shared(postgres):
    """A database that tests empty before they use it: making one takes a second."""
    return database(postgres)


def emptied(url):
    with psycopg.connect(url) as db:
        db.execute("DROP SCHEMA IF EXISTS rxtract_keys CASCADE")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where an empty key store is; its master key lies beside the test's files."""
    store = tmp_path / "keys.db" if request.param == "sqlite" else emptied(request.getfixturevalue("shared"))
    initialise(store, tmp_path / "master.key")
    return store


@pytest.fixture
def another(request, place, tmp_path):
    """Makes a place for a second store of the same kind, where none is yet."""
    return lambda: (
        tmp_path / f"{secrets.token_hex(4)}.db"
        if isinstance(place, Path)
        else database(request.getfixturevalue("postgres"))
    )


@pytest.fixture
def master(tmp_path):
    return tmp_path / "master.key"


def stored(masters, subject, key_id=""):
    return StoredKey(key_id or secrets.token_hex(8), subject, masters.current, masters.wrap(b"k" * 32, b"about"), 1)


def note(patient):
    return NoteAccepted.from_dict({**NoteAccepted.from_json(EXAMPLE.read_bytes()).to_dict(), "patient_ref": patient})


def outcome(sealed, keys):
    try:
        unseal(type(sealed).from_dict(sealed.to_dict()), keys)
    except WireError as error:
        return error.reason
    return "opened"


def test_what_was_put_is_got_whole_and_what_was_not_is_nothing(place, master):
    with closing(open_store(place)) as store:
        masters = MasterKeys(master)
        keys = [stored(masters, f"p{number}") for number in range(1_200)]
        store.add(keys)
        assert store.find(keys[7].key_id) == keys[7]
        assert store.live(["p7", "p1199", "nobody"]) == {"p7": keys[7], "p1199": keys[1199]}
        assert store.find("none") is None
        assert store.live([]) == {}
        assert (store.counts(), store.wrapped_by()) == ((1_200, 0), {masters.current: 1_200})
        assert (store.has("p3"), store.has("nobody")) == (True, False)
        assert sorted(store.every_live(), key=lambda key: key.key_id) == sorted(keys, key=lambda key: key.key_id)
    assert open_store(place).find(keys[0].key_id) == keys[0], "another connection has it, too"


def test_of_a_subject_that_has_a_key_the_second_is_dropped(place, master):
    store, masters = open_store(place), MasterKeys(master)
    first = stored(masters, "p")
    store.add([first])
    store.add([stored(masters, "p"), stored(masters, "q")])
    assert store.live(["p"])["p"] == first
    assert store.counts() == (2, 0)


def test_keys_under_another_master_are_stale_and_none_is_kept(place, master):
    store, masters = open_store(place), MasterKeys(master)
    other = StoredKey("id", "p", master_id(b"x" * 32), b"wrapped", 1)
    with pytest.raises(StaleMaster):
        store.add([stored(masters, "q"), other])
    assert store.counts() == (0, 0)


def test_an_erasure_destroys_and_is_noted_in_order_and_a_new_key_may_follow(place, master):
    store, masters = open_store(place), MasterKeys(master)
    gone, kept = stored(masters, "p"), stored(masters, "q")
    store.add([gone, kept])
    before = store.generation()
    done = store.erase("p", 17)
    assert (done.subject, done.keys, done.at) == ("p", 1, 17)
    assert store.generation() > before
    assert store.find(gone.key_id).wrapped is None
    assert store.live(["p", "q"]) == {"q": kept}
    assert (store.has("p"), store.counts()) == (True, (1, 1))
    again = store.erase("p", 18)
    assert (again.keys, store.erasures()) == (0, [done, again])
    assert store.erasures(done.number) == [again]
    new = stored(masters, "p")
    store.add([new])
    assert store.live(["p"]) == {"p": new}


def test_services_notice_an_erasure_within_a_second_and_others_are_untouched(place, master):
    clock = Clock()
    keys = PatientKeys(open_store(place), MasterKeys(master), clock)
    erased, other = seal(note("p"), keys), seal(note("q"), keys)
    told = Erasures(open_store(place), clock)
    assert told.due() == []
    open_store(place).erase("p", 1)
    clock.now_s += LOOK_EVERY_S
    assert (outcome(erased, keys), outcome(other, keys)) == (Reason.ERASED, "opened")
    told.due()
    clock.now_s += SETTLED_S
    assert told.due() == ["p"]


def test_two_writers_who_meet_a_patient_first_at_once_have_one_key(place, master):
    writers = [open_keys(place, master) for _ in range(4)]
    begin = threading.Barrier(len(writers))
    subjects = [f"p{number}" for number in range(300)]

    def first_use(number):
        begin.wait()
        # Each in an order of its own: whoever waits for another must not be waited for by it.
        mine = subjects[number * 70 :] + subjects[: number * 70]
        return {subject: key.key_id for subject, key in writers[number].prepare(mine).items()}

    with ThreadPoolExecutor(len(writers)) as pool:
        found = list(pool.map(first_use, range(len(writers))))
    assert all(one == found[0] for one in found)
    assert open_store(place).counts() == (300, 0)


def test_an_erasure_beside_writers_leaves_no_key_that_it_should_have_destroyed(place, master):
    keys, over = [open_keys(place, master) for _ in range(2)], threading.Event()

    def work(one):
        while not over.is_set():
            one.prepare([f"p{number}" for number in range(20)])

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work, one) for one in keys]
        eraser = open_store(place)
        numbers = [eraser.erase(f"p{number}", number).number for number in range(8)]
        over.set()
        [one.result() for one in running]
    assert numbers == sorted(set(numbers))
    assert 1 <= eraser.counts()[1] <= 8


def test_a_rotation_reads_everything_before_and_after_with_services_running(place, master):
    clock = Clock()
    keys = PatientKeys(open_store(place), MasterKeys(master), clock)
    before, old = seal(note("p"), keys), master.read_text()
    open_store(place).erase("nobody", 3)
    assert rotate(place, master) == 1
    clock.now_s += LOOK_EVERY_S
    assert outcome(before, keys) == "opened"
    after = seal(note("q"), keys)
    fresh = open_keys(place, master)
    assert (outcome(before, fresh), outcome(after, fresh)) == ("opened", "opened")
    assert set(open_store(place).wrapped_by()) == set(read_masters(master))
    (master.parent / "old.key").write_text(old)
    with pytest.raises(MasterKeyRefused, match="does not hold the master key of this key store"):
        open_keys(place, master.parent / "old.key")


def test_a_new_master_key_reaches_services_before_it_is_used(place, master):
    sealed = seal(note("p"), open_keys(place, master))
    theirs = master.parent / "of-a-pod.key"
    name = prepare(place, master)
    assert next(iter(read_masters(master))) == name
    with pytest.raises(SettingsError, match="holds a new master key already"):
        prepare(place, master)
    theirs.write_text(master.read_text())
    pod = open_keys(place, theirs)
    assert rotate(place, master) == 1
    assert list(read_masters(master)) == [name]
    assert outcome(sealed, pod) == "opened"
    assert outcome(sealed, open_keys(place, theirs)) == "opened"


@pytest.mark.parametrize("died_after", ["file", "current", "some"])
def test_a_rotation_that_was_cut_off_is_done_by_the_next(place, master, monkeypatch, died_after):
    sealed = [seal(note(f"p{number}"), open_keys(place, master)) for number in range(3)]
    new = new_master()
    write_masters(master, [new, *master.read_text().split()])
    if died_after != "file":
        masters = MasterKeys(master)
        masters.wrap_with(master_id(bytes.fromhex(new)))
        from sealing.keys import rewrapped

        store = open_store(place)
        some = store.every_live()[: 1 if died_after == "some" else 0]
        store.rewrap([rewrapped(key, masters) for key in some], masters.current)
    assert {outcome(one, open_keys(place, master)) for one in sealed} == {"opened"}
    rotate(place, master)
    assert {outcome(one, open_keys(place, master)) for one in sealed} == {"opened"}
    assert len(master.read_text().split()) == 1
    assert set(open_store(place).wrapped_by()) == set(read_masters(master))


def test_a_key_that_was_erased_during_a_rotation_stays_destroyed(place, master):
    keys = open_keys(place, master)
    sealed = seal(note("p"), keys)
    store = open_store(place)
    before = store.every_live()
    store.erase("p", 1)
    store.rewrap(before, MasterKeys(master).current)
    assert outcome(sealed, open_keys(place, master)) is Reason.ERASED


def test_a_backup_brings_no_erased_patient_back_and_is_from_another_time(place, master, tmp_path):
    keys = open_keys(place, master)
    kept, erased = seal(note("p"), keys), seal(note("q"), keys)
    back_up(place, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="never overwrites"):
        back_up(place, tmp_path / "backup.db")
    open_store(place).erase("q", 5)
    later = seal(note("r"), keys)
    assert restore(place, master, tmp_path / "backup.db") == 1
    fresh = open_keys(place, master)
    assert [outcome(one, fresh) for one in (kept, erased, later)] == ["opened", Reason.ERASED, Reason.UNKNOWN_KEY]


def test_a_lost_store_comes_back_and_certificates_repeat_its_erasures(place, another, master, tmp_path):
    keys = open_keys(place, master)
    kept, erased = seal(note("p"), keys), seal(note("q"), keys)
    back_up(place, tmp_path / "backup.db")
    done = open_store(place).erase("q", 5)
    certificate = tmp_path / "q.json"
    certificate.write_text(f'{{"patient": "q", "erased_at": {done.at}, "keys_destroyed": 1}}')
    new = another()
    assert restore(new, master, tmp_path / "backup.db", [certificate]) == 1
    assert [outcome(one, open_keys(new, master)) for one in (kept, erased)] == ["opened", Reason.ERASED]
    assert open_store(new).store_id() == open_store(place).store_id()
    certificate.write_text("{}")
    with pytest.raises(SettingsError, match="is no certificate"):
        restore(new, master, tmp_path / "backup.db", [certificate])


def test_a_cluster_moves_from_a_file_to_a_database_and_back(postgres, tmp_path):
    file, url, back, master = tmp_path / "keys.db", database(postgres), tmp_path / "back.db", tmp_path / "master.key"
    initialise(file, master)
    keys = open_keys(file, master)
    kept, erased = seal(note("p"), keys), seal(note("q"), keys)
    open_store(file).erase("q", 5)
    back_up(file, tmp_path / "1.db")
    restore(url, master, tmp_path / "1.db")
    later = seal(note("r"), open_keys(url, master))
    back_up(url, tmp_path / "2.db")
    restore(back, master, tmp_path / "2.db")
    for place, expected in ((url, "opened"), (back, "opened"), (file, Reason.UNKNOWN_KEY)):
        found = [outcome(one, open_keys(place, master)) for one in (kept, erased, later)]
        assert found == ["opened", Reason.ERASED, expected]


def test_a_backup_of_another_store_or_master_is_refused(place, another, master, tmp_path):
    other = another()
    initialise(other, tmp_path / "other.key")
    back_up(other, tmp_path / "backup.db")
    with pytest.raises(SettingsError, match="another key store"):
        restore(place, tmp_path / "other.key", tmp_path / "backup.db")
    with pytest.raises(MasterKeyRefused, match="does not hold the master key of this backup"):
        restore(place, master, tmp_path / "backup.db")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "is empty"),
        ("ab" * 20, "line 1 has 40 digits and needs 64"),
        ("no key", "line 1 is not hexadecimal"),
        ("ab" * 32, "does not hold the master key of this key store"),
    ],
)
def test_a_wrong_or_truncated_master_key_is_one_clear_line(place, master, content, line):
    master.write_text(content)
    for act in (lambda: open_keys(place, master), lambda: rotate(place, master)):
        with pytest.raises(MasterKeyRefused) as refused:
            act()
        assert line in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not content or content not in str(refused.value)


def test_a_store_is_made_once(place, master):
    before = open_store(place).store_id()
    with pytest.raises(SettingsError, match="already"):
        initialise(place, master)
    assert open_store(place).store_id() == before


# --- PostgreSQL alone -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def url(shared, tmp_path):
    initialise(emptied(shared), tmp_path / "master.key")
    return shared


def test_each_role_may_do_its_own_and_nothing_else(postgres, url, master):
    owner = open_keys(url, master)
    sealed = seal(note("p"), owner)
    reader, sealer, eraser = (of_role(postgres, url, role) for role in (READER, SEALER, ERASER))
    for who in (reader, sealer, eraser):
        assert outcome(sealed, open_keys(who, master)) == "opened"
    seal(note("q"), open_keys(sealer, master))
    refusals = [
        (reader, lambda store: seal(note("new"), PatientKeys(store, MasterKeys(master)))),
        (reader, lambda store: store.erase("p", 1)),
        (sealer, lambda store: store.erase("p", 1)),
        (sealer, lambda store: store.rewrap(store.every_live(), "other")),
        (eraser, lambda store: seal(note("new"), PatientKeys(store, MasterKeys(master)))),
        (eraser, lambda store: store.rewrap(store.every_live(), "other")),
    ]
    for who, act in refusals:
        with pytest.raises(KeyStoreAway, match="the user has no right to this: GRANT"):
            act(open_store(who))
    assert open_store(url).counts() == (2, 0)
    assert open_store(eraser).erase("p", 1).keys == 1
    deletes = (
        "DELETE FROM rxtract_keys.keys",
        "UPDATE rxtract_keys.facts SET value = ''",
        "TRUNCATE rxtract_keys.keys",
        "UPDATE rxtract_keys.keys SET subject = 'x'",
    )
    for who in (reader, sealer, eraser):
        for statement in deletes:
            with psycopg.connect(who) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(statement)
    with pytest.raises(SettingsError, match="has no right to this: GRANT"):
        open_store(of_role(postgres, url, ""))


def test_what_a_person_mends_is_one_line_and_holds_no_password(postgres, tmp_path):
    url, master = database(postgres), tmp_path / "master.key"
    plain = of_role(postgres, url, "")
    for place, act, line in [
        (url, open_store, "the database holds no key store: `rxtract keys init`"),
        (postgres.url(password="wrong-password"), open_store, "the server refuses the user or the password"),
        (postgres.url(database="none"), open_store, "there is no such database"),
        ("postgresql://[", open_store, "it is no address of a database"),
        ("mysql://a:secret@b/c", open_store, "it is no address of a database"),
        (plain, lambda place: initialise(place, master), "this user may not make a key store"),
    ]:
        with pytest.raises(SettingsError) as refused:
            act(place)
        assert line in str(refused.value), refused.value
        assert "\n" not in str(refused.value)
        assert not [word for word in ("wrong-password", postgres.password, "secret") if word in str(refused.value)]


def test_a_server_that_is_frozen_is_waited_for(postgres, url, master):
    clock = Clock()
    keys = PatientKeys(open_store(url), MasterKeys(master), clock)
    sealed = seal(note("p"), keys)
    clock.now_s += LOOK_EVERY_S
    postgres.pause()  # connections stay open and nothing is answered
    try:
        with pytest.raises(KeyStoreAway, match="does not answer"):
            unseal(type(sealed).from_dict(sealed.to_dict()), keys)
    finally:
        postgres.resume()
    assert outcome(sealed, keys) == "opened"


def test_a_server_that_dies_is_waited_for_and_has_every_key_that_sealed_a_note(postgres, url, master):
    clock = Clock()
    keys = PatientKeys(open_store(url), MasterKeys(master), clock)
    sealed = [seal(note(patient), keys) for patient in ("p", "just-before")]
    postgres.kill()
    try:
        clock.now_s += LOOK_EVERY_S
        for act in (lambda: outcome(sealed[0], keys), lambda: seal(note("q"), keys)):
            with pytest.raises(KeyStoreAway, match="does not answer") as away:
                act()
            assert isinstance(away.value, Recoverable)
        # A service that starts meanwhile waits, too; a wrong master key is met when the server answers.
        early = open_keys(url, master)
        (master.parent / "other.key").write_text(new_master())
        wrong = open_keys(url, master.parent / "other.key")
        with pytest.raises(KeyStoreAway, match="does not answer"):
            early.for_subject("p")
    finally:
        postgres.start()
    assert {outcome(one, keys) for one in sealed} == {"opened"}
    assert outcome(sealed[0], early) == "opened"
    with pytest.raises(KeyStoreAway, match="does not hold the master key of this key store"):
        wrong.for_subject("p")


def test_a_server_that_does_not_sync_is_refused(postgres, url):
    try:
        for value in ("off", "on"):
            with psycopg.connect(postgres.url(), autocommit=True) as db:
                db.execute(f"ALTER SYSTEM SET fsync = {value}")
                db.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 20
            while refused(url) is (value == "on"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        with psycopg.connect(postgres.url(), autocommit=True) as db:
            db.execute("ALTER SYSTEM RESET fsync")
            db.execute("SELECT pg_reload_conf()")


def refused(url):
    try:
        open_store(url)
    except SettingsError as error:
        return "fsync off" in str(error)
    return False


def test_keys_are_synced_though_the_server_is_set_not_to(postgres, url):
    name = url.rsplit("/", 1)[1]
    for value, kept in (("off", "on"), ("remote_apply", "remote_apply")):
        with psycopg.connect(postgres.url(), autocommit=True) as db:
            db.execute(f"ALTER DATABASE {name} SET synchronous_commit = {value}")
        store = PostgresKeyStore(url)
        assert store._ask(lambda db: db.execute("SHOW synchronous_commit").fetchone()) == (kept,)
        store.close()
    with psycopg.connect(postgres.url(), autocommit=True) as db:
        db.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_after_a_rotation_what_is_left_of_a_destroyed_key_in_the_servers_files_opens_nothing(postgres, url, master):
    keys = open_keys(url, master)
    sealed = seal(note("p"), keys)
    wrapped = open_store(url).find(sealed.encryption_key_id)
    open_store(url).erase("p", 1)
    log = b"".join(path.read_bytes() for path in (postgres.data / "pg_wal").iterdir() if path.is_file())
    assert wrapped.wrapped in log, "no question reaches it, but the server's log has it"
    rotate(url, master)
    with pytest.raises(MasterKeyRefused, match="has no master key"):
        MasterKeys(master).unwrap(wrapped.master_id, wrapped.wrapped, f"{wrapped.key_id}|p".encode())


def test_a_dump_of_the_server_is_a_backup_too(postgres, url, master, tmp_path):
    """By PostgreSQL's own tools, as its administrator does it."""
    from embedded_stack.postgres import find_postgres

    sealed = seal(note("p"), open_keys(url, master))
    new = database(postgres)
    tools = find_postgres()
    subprocess.run([tools / "pg_dump", "-Fc", "-f", tmp_path / "dump", url], check=True, timeout=60)
    admin = postgres.url(ADMIN, database=new.rsplit("/", 1)[1])
    subprocess.run([tools / "pg_restore", "--no-owner", "-d", admin, tmp_path / "dump"], check=True, timeout=60)
    assert outcome(sealed, open_keys(of_role(postgres, new, READER), master)) == "opened"


def test_without_a_client_for_postgresql_one_line_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sealing.postgres", None)
    with pytest.raises(SettingsError, match=r"install rxtract-sealing\[postgres\]"):
        open_store("postgresql://host/db")


def test_one_key_store_is_named_not_two(monkeypatch, tmp_path):
    from sealing import place_of

    with pytest.raises(SettingsError, match="keep one"):
        place_of(tmp_path, "postgresql://host/db")
    assert place_of(None, None) is None
    assert os.sep in str(place_of(tmp_path, ""))


def test_an_unknown_or_destroyed_key_is_told_apart(place, master):
    keys = open_keys(place, master)
    key = keys.for_subject("p")
    open_store(place).erase("p", 1)
    fresh = open_keys(place, master)
    with pytest.raises(KeyErased):
        fresh.of(key.key_id)
    with pytest.raises(KeyUnknown):
        fresh.of("0" * 16)
