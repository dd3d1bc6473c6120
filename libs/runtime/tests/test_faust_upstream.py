"""What we override in Faust and what we lean on, pinned: an upgrade that changes any of it turns this red.

When a row fails: read the new source, judge whether the batch transport still holds (the row says what it relies on), adapt, and
only then write the new digest.
"""

import hashlib
import inspect
import textwrap
from typing import Any

import faust.app.base
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher, group_coordinator
from faust import streams
from faust.tables import recovery
from faust.transport import conductor, consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import tuples
from mode import services
from runtime.stream.faust.app import BatchApp, check_accelerator
from runtime.stream.faust.consumer import BatchConsumer, BatchConsumerThread, BatchTransport

Consumer = consumer.Consumer
Delegate = consumer.ThreadDelegateConsumer
Thread = driver.AIOKafkaConsumerThread
App = faust.app.base.App

OVERRIDDEN = [
    # what, digest of its source in 0.15.3, why it is overridden
    (Consumer.getmany, "e486c434b7928ee8", "F8, batches: generation read after the fetch, one message a record"),
    (Consumer._drain_messages, "8f35dd7a11144daa", "stale batches: compares only the last offset, drops at dev level"),
    (Consumer._commit_handler, "71024925b06f13eb", "2.8 s between commits"),
    (Consumer.commit, "e43a7d03685f9206", "a second caller waits and then does not commit"),
    (Consumer.force_commit, "464b62ae917215ab", "commits what Faust's own acks say"),
    (Consumer.ack, "5548cf0f75843f73", "F1 to F5: acks go to the ledger"),
    (Consumer.on_partitions_revoked, "652177e770ee66d6", "acks are dropped before the commit (issue 502)"),
    (Consumer.on_partitions_assigned, "c07feb1175f7dcf1", "tells who is assigned"),
    (Consumer.perform_seek, "2b4ceebd23deb7ee", "sets where the ledger goes on"),
    (Consumer.verify_event_path, "7759907d47b59259", "livelock check only logs, on two clocks"),
    (driver.Consumer.verify_event_path, "883ce70ac0a6007f", "livelock check only logs, on two clocks"),
    (
        Thread._create_worker_consumer,
        "c179c0bdb9755c3a",
        "reads what was aborted; else round-robin, bounds, credentials",
    ),
    (Thread.highwater, "745f6cb718454330", "the end of the log, though an open transaction may stand before it"),
    (driver.Consumer._new_consumer_thread, "8fd0d41b15145615", "our thread"),
    (
        Thread._commit,
        "78c931ecfa8dde44",
        "metadata beside the offset; False only when the group has rebalanced, else crash",
    ),
    (Thread.on_start, "675d03707bbecd3c", "records are made as ours where they are unpacked"),
    (
        fetcher.PartitionRecords._consumer_record,
        "56c3ee13f914a9d2",
        "makes a record of a class that takes five times as long as ours",
    ),
    (App._new_transport, "11beddacb9fee5b0", "our transport"),
    (App._create_directories, "11b6b0b79e317509", "writes a data folder"),
    (services.Service._crash, "023e36034cd9b2b1", "a crash stops in good order and commits on the way"),
    (faust.Schema.compile, "bd271ec59690d13e", "decodes in Faust"),
]

RELIED_UPON = [
    (
        group_coordinator.GroupCoordinator.fetch_committed_offsets,
        "c83e0cafbf1e78a4",
        "offset and metadata of the group",
    ),
    (Delegate.highwaters, "6503ef269eab219d", "where a suspect partition ends"),
    (Consumer.__init__, "00f02908cf84d93a", "attributes that our consumer reads"),
    (Consumer.on_stop, "7accc1bf4f9759a1", "commits through our commit when it stops"),
    (Consumer.stop_flow, "aa77389dc23a1981", "blocks the fetch loop"),
    (Consumer.resume_flow, "192f20bc377f5fec", "unblocks it after the seek"),
    (Consumer._get_active_partitions, "da41bc1e8d869433", "the partitions to fetch"),
    (consumer.Fetcher._fetcher, "64ea6297f5a08cd9", "calls _drain_messages"),
    (driver.Consumer._to_message, "a2a5aefda42d9cd1", "reads the generation at that moment"),
    (Delegate._getmany, "8dbffeccb0e3267f", "fetch in the consumer's thread"),
    (Delegate._commit, "91c201528438395b", "commit in the consumer's thread"),
    (Delegate.seek_wait, "87115444b6fcca7f", "seek in the consumer's thread"),
    (Delegate.assignment, "bd585dfbb0b806a1", "what is ours"),
    (Delegate.highwater, "3235f153c6171e27", "ends, for the lag"),
    (Delegate.earliest_offsets, "dce064c213135281", "what retention left"),
    (Delegate.seek_to_committed, "6c17ae1d4f33af0c", "the committed offsets, in the consumer's thread"),
    (Thread.seek_to_committed, "43907fc1163624bd", "the committed offsets"),
    (Thread.earliest_offsets, "469bc24dff2a48ab", "where an uncommitted partition begins"),
    (AIOKafkaConsumer.seek_to_committed, "9c20926f17126a19", "seeks nothing without a committed offset: we do"),
    (Delegate.threadsafe_partitions_revoked, "f848859a8b85d387", "the revocation waits for us"),
    (Thread._fetch_records, "9e7369fc572de4d0", "returns nothing while flow is stopped"),
    (Thread._seek_wait, "98f8aa716db26656", "seeks and waits for the position"),
    (Thread.position, "733b7b57f3bcdc54", "how far the client has passed markers: a claim"),
    (AIOKafkaConsumer.start, "5ba1baa38f6246a0", "the fetcher takes the isolation level over only now"),
    (AIOKafkaConsumer.last_stable_offset, "ecbdc68482bfd6b7", "the end of what can be read"),
    (
        fetcher.Fetcher._update_fetch_positions,
        "1dc02ecce273299d",
        "reports a partition without a committed offset; a seek passes it",
    ),
    (fetcher.FetchResult.__init__, "00a9da5e051708f7", "names what it unpacks"),
    (
        fetcher.PartitionRecords._unpack_records,
        "047f7fc3f005c220",
        "asks itself for each record, and reads nothing of it",
    ),
    (fetcher.Fetcher._proc_fetch_request, "ace04969424fc674", "keeps what was fetched in a dict by partition"),
    (fetcher.FetchResult.getall, "b638929de3431c67", "passes markers without a record"),
    (driver.ConsumerRebalanceListener.on_partitions_assigned, "f8231db51dd545c6", "sets the generation first"),
    (driver.credentials_to_aiokafka_auth, "364c9c9c68523c50", "security settings are passed through"),
    (App._on_partitions_revoked, "c1abd58dcb37f0a2", "clears the streams' buffers"),
    (App._on_partitions_assigned, "c9c5485eb273837f", "leads to perform_seek before the flow resumes"),
    (App._stop_consumer, "96573acf5f044586", "does not wait for streams"),
    (recovery.Recovery._resume_streams, "fbe0f747b84c0b27", "seeks, then resumes the flow"),
    (conductor.ConductorCompiler.build, "70ded0e719100a3f", "hands the message to the one stream"),
    (streams.Stream._c_aiter, "e1c5071a8280fd46", "noack: nothing is acked after the body"),
    (streams.Stream.events, "bed62827877656f6", "yields events"),
    (tuples.Message.ack, "3c9ee05236d3fe1f", "event.ack leads to Consumer.ack"),
    (tuples.ConsumerMessage.on_final_ack, "818bf19da0010b2e", "event.ack leads to Consumer.ack"),
    (services.Service.crash, "6e0b5672cd830081", "reaches the app's _crash"),
    (fetcher.Fetcher.fetched_records, "e20ce0c8117f12d2", "an empty set of partitions means all"),
    (group_coordinator.GroupCoordinator.check_errors, "c67ee34a37d994bd", "raises what the coordinator died of"),
    (group_coordinator.GroupCoordinator._on_join_prepare, "620a6bbc67252dde", "swallows what a revocation raises"),
    (group_coordinator.GroupCoordinator.commit_offsets, "67fb44337ca73f7f", "says 'already rebalanced'"),
]


def digest(function: Any) -> str:
    function = getattr(function, "fun", function)  # mode's Service.task keeps the function there
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def name(row: tuple) -> str:
    function = getattr(row[0], "fun", row[0])
    return function.__qualname__


@pytest.mark.parametrize("row", OVERRIDDEN + RELIED_UPON, ids=name)
def test_upstream_source_is_the_one_we_read(row):
    function, known, why = row
    assert digest(function) == known, f"{name(row)} changed upstream; we rely on: {why}"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BatchConsumer.getmany, Consumer.getmany),
        (BatchConsumer._drain_messages, Consumer._drain_messages),
        (BatchConsumer.commit, Consumer.commit),
        (BatchConsumer._new_consumer_thread, driver.Consumer._new_consumer_thread),
        (BatchConsumerThread.on_start, Thread.on_start),
        (BatchConsumerThread._commit, Thread._commit),
        (BatchConsumer.force_commit, Consumer.force_commit),
        (BatchConsumer.ack, Consumer.ack),
        (BatchConsumer.on_partitions_revoked, Consumer.on_partitions_revoked),
        (BatchConsumer.on_partitions_assigned, Consumer.on_partitions_assigned),
        (BatchConsumer.perform_seek, Consumer.perform_seek),
        (BatchConsumer.verify_event_path, Consumer.verify_event_path),
        (BatchConsumerThread._create_worker_consumer, Thread._create_worker_consumer),
        (BatchConsumerThread.highwater, Thread.highwater),
        (BatchApp._new_transport, App._new_transport),
        (BatchApp._create_directories, App._create_directories),
        (BatchApp._crash, services.Service._crash),
    ],
    ids=lambda function: function.__qualname__,
)
def test_signatures_are_upstreams(ours, theirs):
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)
    assert inspect.isasyncgenfunction(ours) == inspect.isasyncgenfunction(theirs)


def test_every_overridden_method_is_in_the_table():
    pinned = {name(row).split(".")[-1] for row in OVERRIDDEN}
    classes = (BatchConsumer, BatchTransport, BatchApp, BatchConsumerThread)
    for ours in classes:
        base = ours.__mro__[1]
        for attribute, value in vars(ours).items():
            function = getattr(value, "fun", value)
            if inspect.isfunction(function) and hasattr(base, attribute) and attribute != "__init__":
                assert attribute in pinned, f"{ours.__name__}.{attribute} overrides upstream without a pin"


def test_one_commit_task_runs_and_it_is_ours():
    names = list(BatchConsumer._tasks[BatchConsumer._get_class_id()])
    assert names.count("_commit_handler") == 1
    assert BatchConsumer._commit_handler.fun.__module__ == BatchConsumer.__module__


def test_the_compiled_iterator_is_loaded():
    check_accelerator()


def test_without_the_compiled_iterator_we_refuse(monkeypatch):
    monkeypatch.setattr(streams, "_CStreamIterator", None)
    with pytest.raises(Exception, match="faust-streaming wheel"):
        check_accelerator()
