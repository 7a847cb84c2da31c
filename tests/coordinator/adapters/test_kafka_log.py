"""What the log on Kafka promises beyond the contract: topics, partitions, other writers, brokers that come and go."""

import errno
import gc
import json
import os
import resource
import shutil
import socket
import threading
import tomllib
import weakref
from contextlib import ExitStack, closing, contextmanager, suppress
from inspect import signature
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from unittest.mock import Mock

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.cluster import collect_hosts
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError
from kafka.future import Future
from kafka.record.default_records import DefaultRecordBatch
from structlog.testing import capture_logs

from coordinator.adapters import kafka_log
from coordinator.adapters.kafka_group import KafkaGroup
from coordinator.adapters.kafka_log import RECONNECT_MS, KafkaLog, checked_address, topic_settings
from coordinator.adapters.memory import collect_rarely
from coordinator.errors import Refused, Unavailable
from coordinator.stream import DEAD_LETTER, PARTITIONS, SIGNAL, START, Entry, misplaced
from tests.contracts.event_log import entry, mixed, read_all, said
from tests.support.apache import forget_topics, running_kafka
from tests.support.clients import CLIENTS, log_class
from tests.support.tansu import running_broker

TOPICS = Path(__file__).parents[3] / "deploy" / "kafka" / "topics.toml"
WHAT = "the log on Kafka beside other writers and through broker failures"


@pytest.fixture
def broker(tmp_path):
    with running_broker(tmp_path, WHAT) as address:
        yield address


@pytest.fixture(params=CLIENTS)
def opened(request):
    """Opens a log, by each client in turn."""
    return log_class(request.param)


@pytest.fixture
def log(broker, opened):
    log = opened(broker, replicas=1)
    yield log
    log.close()


@pytest.fixture
def stranger(log, broker):
    """A writer that is not ours."""
    producer = KafkaProducer(bootstrap_servers=broker)
    yield producer
    producer.close()


@pytest.fixture
def admin(broker):
    admin = KafkaAdminClient(bootstrap_servers=broker)
    yield admin
    admin.close()


def test_the_topics_in_deploy_are_those_the_coordinator_makes():
    page = tomllib.loads(TOPICS.read_text())
    assert {name: topic["partitions"] for name, topic in page["topics"].items()} == dict(PARTITIONS)
    assert {name: topic["settings"] for name, topic in page["topics"].items()} == topic_settings(page["replicas"])


def test_opening_makes_every_topic_with_its_partitions_and_again_finds_them_right(log, broker, admin):
    assert {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()} == dict(PARTITIONS)
    KafkaLog(broker, replicas=1).close()


def test_a_log_that_was_closed_writes_nothing_and_opens_nothing_again(log, monkeypatch):
    log.append([entry(1)])
    log.close()
    monkeypatch.setattr(log, "_new_producer", Mock())
    for _ in range(2):
        with pytest.raises(Unavailable, match="was closed here"):
            log.append([entry(2)])
    assert not log._new_producer.called


def test_what_begins_to_write_while_its_log_is_closed_is_let_go_of(log, monkeypatch):
    made = log._new_producer()

    def closed_meanwhile():
        log.close()
        return made

    monkeypatch.setattr(log, "_new_producer", closed_meanwhile)
    with pytest.raises(Unavailable, match="was closed here"):
        log.append([entry(2)])
    assert log._producer is None


def test_a_topic_with_another_number_of_partitions_is_refused(broker, admin):
    admin.create_topics({SIGNAL: {"num_partitions": 3, "replication_factor": 1, "configs": topic_settings(1)[SIGNAL]}})
    with pytest.raises(Refused, match=r"stigmergy\.signal\.v1 has 3 partitions; expected 8"):
        KafkaLog(broker, replicas=1)


def test_a_topic_that_forgets_is_refused(broker, admin):
    settings = topic_settings(1)[SIGNAL] | {"retention.ms": "604800000"}
    admin.create_topics({SIGNAL: {"num_partitions": 8, "replication_factor": 1, "configs": settings}})
    with pytest.raises(Refused, match=r"retention\.ms=604800000 \(expected -1\)"):
        KafkaLog(broker, replicas=1)


def test_more_copies_than_there_are_brokers_are_refused_with_the_way_out(kafka):
    with pytest.raises(Refused, match=r"too few brokers for 3 copies .* --replicas 1"):
        KafkaLog(kafka)


def test_on_the_wire_an_event_is_a_keyed_record_and_a_withdrawal_has_no_value(log, broker):
    [told, withdrawn] = log.append([entry(1), entry(2, data=None)])
    assert told.position.rsplit("/", 1)[0] == withdrawn.position.rsplit("/", 1)[0]
    _, partition, offset = told.position.split("/")
    with closing(KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")) as consumer:
        there = TopicPartition(SIGNAL, int(partition))
        consumer.assign([there])
        rows = []
        while len(rows) < 2:
            rows.extend(consumer.poll(timeout_ms=1_000).get(there, []))
    assert [row.key for row in rows] == [b"atelier-nord", b"atelier-nord"]
    assert json.loads(rows[0].value) == json.loads(entry(1).event)["data"]
    assert rows[1].value is None
    assert rows[0].offset == int(offset)
    assert told.logtime_us == rows[0].timestamp * 1_000


def test_what_strangers_write_is_read_to_the_end_and_alike_by_both_clients(kafka):
    """Packed in any way, in transactions that ended well or not, with headers that no client of ours would write."""
    logs = [log_class(client) for client in CLIENTS]
    from confluent_kafka import Producer

    class Odd(str):
        """A header's name that goes out as bytes that are no UTF-8."""

        def encode(self, *_):
            return self[:-1].encode() + b"\xff"

    with ExitStack() as stack:
        logs = [stack.enter_context(closing(log(kafka, replicas=1))) for log in logs]

        def write(value, *, headers=(), key=b"k", **options):
            strange = Producer({"bootstrap.servers": kafka, **options})
            if "transactional.id" in options:
                strange.init_transactions(20)
                strange.begin_transaction()
            strange.produce(SIGNAL, key=key, value=value, headers=list(headers), partition=0)
            strange.flush(20)
            return strange

        for packing in ("gzip", "lz4", "zstd", "snappy"):
            write(packing.encode() * 300, **{"compression.type": packing})
        write(b"committed", **{"transactional.id": "one"}).commit_transaction(20)
        write(b"aborted", **{"transactional.id": "other"}).abort_transaction(20)
        for name in ("ce_id", "ce_id\0rest", "\0", "content-type", "x" * 100):
            for told in (None, b"", b"\0", b"\xff"):
                write(b"{}", headers=[(name, told), ("ce_source", b"agent:a")])
        write(None, key=None)
        write(b"", key=b"")
        with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
            for name in ("ce_?", "?" * 80):
                producer.send(SIGNAL, value=b"{}", headers=[(Odd(name), b"1"), ("ce_id", b"1")], partition=0).get(20)
        write(b"last")
        first, second = [read_all(log) for log in logs]
        assert first == second
        assert len(first) == 4 + 2 + 20 + 2 + 2 + 1
        assert {record.entry.event for record in first} >= {b"zstd" * 300, b"committed", b"aborted", b"last", b"", b"{}"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_batch_packed_before_its_topic_was_set_up_is_read_or_told_at_every_read_with_the_way_out(kafka, client):
    from confluent_kafka import Producer

    settings = {name: value for name, value in topic_settings(1)[SIGNAL].items() if name != "compression.type"}
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics({SIGNAL: {"num_partitions": 8, "replication_factor": 1, "configs": settings}}, wait_for_metadata=True)
    for packing in ("none", "zstd"):
        stranger = Producer({"bootstrap.servers": kafka, "compression.type": packing})
        stranger.produce(SIGNAL, key=b"k", value=packing.encode() * 300, partition=5)
        stranger.flush(20)
    with capture_logs() as logged, closing(log_class(client)(kafka, replicas=1, patience_ms=3_000)) as log:
        if log.unpacks:
            assert logged == []
            assert [record.entry.event[:4] for record in read_all(log)] == [b"none", b"zstd"]
            return
        command = f"kafka-configs --bootstrap-server {kafka} --alter --entity-type topics --entity-name {{}} --add-config "
        command += "compression.type=uncompressed"
        [warning] = logged
        assert (warning["log_level"], warning["topic"], warning["mend"]) == ("warning", SIGNAL, command.format(SIGNAL))
        place, told = START, []
        for _ in range(4):  # the first may give what stands before it, where all other partitions answered already
            try:
                place = log.read(place, 10).place
            except Unavailable as error:
                told.append(str(error))
        assert len(told) >= 3
        for each in told:
            assert f"{SIGNAL}/5 at 1 is packed (Libraries for zstd compression codec not found). Start with --client confluent" in each
            assert command.format("TOPIC") in each


def test_the_names_of_kafka_python_that_are_no_promise_of_its_own_are_there(log):
    """What is overridden or looked into here, and may go with any release: pyproject.toml pins the one it was tried with."""
    with closing(KafkaLog(log._bootstrap, replicas=1)) as plain:
        fetcher, producer = plain._consumer._fetcher, plain._open_producer()
        assert isinstance(fetcher._net, kafka_log._Waits)
        assert fetcher.PartitionRecords is kafka_log._Fetched
        stock = Fetcher.PartitionRecords
        assert {"_unpack_records", "take", "drain"} <= vars(stock).keys()
        assert list(signature(stock._unpack_records).parameters) == ["self", "tp", "records", "key_deserializer", "value_deserializer"]
        assert {"_buffer", "_pos"} <= set(DefaultRecordBatch.__slots__)
        assert callable(producer._sender.force_close)
        assert hasattr(Future(), "is_done")


def test_what_is_no_event_is_refused_before_anything_is_sent(log):
    with pytest.raises(Refused):
        log.append([entry(1), Entry(SIGNAL, "atelier-nord", b"no event"), entry(2)])
    assert read_all(log) == []


def test_what_was_sent_one_after_another_stands_in_that_order_whoever_is_asked_first(log):
    first, second = (log.send([entry(number) for number in numbers]) for numbers in (range(3), range(3, 5)))
    later, earlier = second.finish(), first.finish()
    assert [record.position for record in read_all(log)] == [record.position for record in earlier + later]
    assert [record.entry for record in earlier + later] == [entry(number) for number in range(5)]


def test_who_waits_for_an_entry_waits_for_no_others_that_are_on_their_way(kafka, opened):
    with closing(opened(kafka, replicas=1)) as log:
        producer = log._open_producer()
        if isinstance(producer, KafkaProducer):
            producer._accumulator.muted.add(TopicPartition(SIGNAL, 0))
            other = producer.send(SIGNAL, value=b"no event", partition=0)
        else:
            other = producer.send("a-topic-to-be-made", key=b"x", value=b"no event", headers=[], partition=0)
        [record] = log.append([entry(2, stream=DEAD_LETTER)])
        assert said(record) == said(entry(2, stream=DEAD_LETTER))
        assert not other.is_done


def test_it_is_known_of_what_was_sent_whether_it_stands_before_anybody_waits_for_it(log):
    sending = log.send(mixed(30))
    deadline_s = monotonic() + 30
    while not sending.is_known() and monotonic() < deadline_s:
        sleep(0.01)
    assert sending.is_known()
    assert len(sending.finish()) == 30


def test_other_clients_of_kafka_send_a_key_to_the_same_partition(log, stranger):
    for number in range(40):
        key = f"fabrik-ö-{number}"
        [record] = log.append([entry(number, key=key)])
        assert stranger.send(SIGNAL, key=key.encode(), value=b"{}").get(timeout=10).partition == int(record.position.split("/")[1])


def test_a_record_in_the_partition_of_another_key_is_shown_as_misplaced(log, stranger):
    right = int(log.append([entry(1)])[0].position.split("/")[1])
    stranger.send(SIGNAL, key=b"atelier-nord", value=b"{}", partition=(right + 1) % 8).get(timeout=10)
    records = read_all(log)
    assert sorted(map(misplaced, records)) == [False, True]


@pytest.mark.parametrize(("key", "value"), [(b"a", b"no event"), (b"\xff\xfe", b"\x00\xff"), (None, b"{"), (b"a", None)])
def test_what_is_no_event_is_handed_on_for_the_reader_to_refuse(log, stranger, key, value):
    stranger.send(SIGNAL, key=key, value=value, partition=0).get(timeout=10)
    log.append([entry(1)])
    [odd, event] = read_all(log)
    assert odd.entry.event == (value or b"")
    assert said(event) == said(entry(1))


def test_partitions_are_merged_by_log_time(log, stranger):
    stamps_ms = [1_772_000_000_000 + 1_000 * number for number in range(400)]
    for number, stamp_ms in enumerate(stamps_ms):
        # One partition holds all the oldest, as after a long time of one busy agent.
        stranger.send(SIGNAL, key=b"x", value=b"%d" % number, partition=3 if number < 100 else number % 8, timestamp_ms=stamp_ms)
    stranger.flush(timeout=10)
    with_bites = read_all(log, at_most=37)
    assert [record.entry.event for record in with_bites] == [b"%d" % number for number in range(400)]
    assert read_all(log) == with_bites


def test_reads_that_do_not_wait_give_the_same_in_the_same_order(log, stranger):
    for number in range(400):
        partition = 3 if number < 100 else number % 8
        stranger.send(SIGNAL, key=b"x", value=b"%d" % number, partition=partition, timestamp_ms=1_772_000_000_000 + 1_000 * number)
    stranger.flush(timeout=10)
    place, rows, deadline_s = START, [], monotonic() + 30
    while len(rows) < 400 and monotonic() < deadline_s:
        batch = log.read(place, 37, wait=False)
        place, rows = batch.place, rows + list(batch.records)
    assert rows == read_all(log)


def test_partitions_that_run_far_ahead_wait_for_the_others_and_come_back(log, stranger, monkeypatch):
    monkeypatch.setattr("coordinator.adapters.kafka_log._HELD_RECORDS", 40)
    for number in range(2_000):
        # Now one partition holds all that is next, now another, now each some: a history longer than what is held of any.
        block = number // 200
        partition = (block % 3, 5, number % 8)[block % 3]
        stranger.send(SIGNAL, key=b"x", value=b"%d" % number, partition=partition, timestamp_ms=1_772_000_000_000 + 1_000 * number)
    stranger.flush(timeout=10)
    assert [record.entry.event for record in read_all(log, at_most=150)] == [b"%d" % number for number in range(2_000)]


def left_by(task):
    """Return how many objects in dead rings a task leaves each time: the fewest of some tries, for other threads may too."""
    counts = []
    gc.disable()
    try:
        while len(counts) < 5 and 0 not in counts:
            gc.collect()
            task()
            counts.append(gc.collect())
    finally:
        gc.enable()
    return min(counts)


def test_reads_in_vain_leave_nothing_for_a_look_for_garbage(log):
    """A silent log has ten a second; what died in rings is found late, by a look that holds up all (`memory.py`)."""
    log.append([entry(number) for number in range(5)])
    place = START
    while (batch := log.read(place, 10)).records:
        place = batch.place

    def read_in_vain():
        for _ in range(5):  # one after another: what has come already is not waited for
            assert not log.read(place, 10).records

    assert left_by(read_in_vain) == 0


def test_asking_who_it_is_and_telling_a_place_leave_nothing_for_a_look_for_garbage(broker, opened):
    """Whoever serves asks twice a minute, and tells a place every few seconds."""
    with closing(opened(broker, replicas=1, group="watched")) as log:
        log.append([entry(1)])
        place = log.read(START, 10).place
        assert left_by(log.identity) == 0
        assert left_by(lambda: log.append([entry(2)])) == 0
        assert left_by(lambda: log.commit(place)) == 0


def test_who_it_is_is_asked_by_one_client_until_that_fails_or_it_is_to_be_asked_afresh(log):
    """One after another would each leave some hundred objects in rings; after a failure another may answer at the address."""
    known = log.identity()
    assert known["cluster"]
    first = log._admin
    assert log.identity() == known
    assert log._admin is first
    assert log.identity(afresh=True) == known
    second = log._admin
    assert second is not first
    assert first._closed
    second.describe_topics = Mock(side_effect=KafkaError("the broker is gone"))
    assert log.identity() == known
    assert log._admin is not second
    log.close()
    assert log._admin._closed
    with pytest.raises(Unavailable, match="was closed here"):
        log.identity(afresh=True)


def test_a_client_that_asks_counts_nothing_that_nobody_reads(log):
    """What it counts with would be left in rings where it is closed: some 270 objects."""
    log.identity()
    assert [name.name for name in log._admin._metrics.metrics] == ["count"]  # how many there are


def end_loop(admin):
    """Have the loop of a client end as it does where a process has no files left: what it met is raised at every later call."""
    net = admin._net
    thread = net._io_thread
    net._poll_once = Mock(side_effect=OSError(errno.EMFILE, "Too many open files"))
    net.wakeup()
    thread.join(30)
    assert not thread.is_alive()


def test_a_client_whose_loop_ended_is_replaced_when_it_is_asked_and_closed_like_any_other(log, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    known = log.identity()
    for afresh in (False, True):
        ended = log._admin
        end_loop(ended)
        assert log.identity(afresh=afresh) == known
        assert log._admin is not ended
    end_loop(log._admin)
    log.close()


@contextmanager
def files_left(number):
    """Leave this process so many files to open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, max(map(int, os.listdir("/proc/self/fd"))) + 10), hard))
    try:
        with suppress(OSError):  # the last there was is taken
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(number):
            os.close(held.pop())
        yield
    finally:
        for file in held:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_whom_no_file_is_left_to_begin_a_client_with_is_told_so(number):
    told = r"cannot be begun here: Too many open files\. Close what holds files open, or allow this process more of them"
    with files_left(number), pytest.raises(Unavailable, match=told):
        KafkaLog("127.0.0.1:1", replicas=1, patience_ms=1_000)


def test_another_failure_of_the_machine_is_not_told_as_want_of_files():
    def unreachable(**_):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    with pytest.raises(OSError, match="Network is unreachable"):
        kafka_log.opened(unreachable, bootstrap_servers=["127.0.0.1:1"])


def test_who_it_is_is_told_once_there_are_files_again(log):
    with files_left(0), pytest.raises(Unavailable, match="Too many open files"):
        log.identity()
    assert log.identity()["cluster"]


def test_rings_that_the_client_leaves_elsewhere_are_found_among_what_is_new(broker):
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    with closing(KafkaLog(broker, replicas=1)) as log:
        net, manager = log._consumer._net, log._consumer._manager
        with pytest.raises(KafkaError) as told:  # as it waits by itself
            net.run(manager.wait_for, Future(), 1)
        dead = weakref.ref(told.value)
        del told
        try:
            assert dead() is not None
            collect_rarely()
            kept = [[number] for number in range(10 * gc.get_threshold()[0])]
            assert kept
            assert dead() is None
        finally:
            gc.set_threshold(*before)
            gc.callbacks[:] = callbacks
            gc.unfreeze()


def test_a_read_that_fails_half_way_gives_all_of_it_the_next_time(log, monkeypatch):
    log.append([entry(number) for number in range(6)])
    fill = log._fill

    def fail(_: TopicPartition) -> bool:
        raise KafkaError("the client fails while records are merged")

    def fill_and_fail_then(at_most: int, *, wait: bool) -> bool:
        filled = fill(at_most, wait=wait)
        monkeypatch.setattr(log, "_at_end", fail)
        return filled

    monkeypatch.setattr(log, "_fill", fill_and_fail_then)
    with pytest.raises(Unavailable, match="while records are merged"):
        log.read(START, 100)
    monkeypatch.undo()
    told = [said(entry(number)) for number in range(6)]
    assert sorted(map(said, read_all(log)), key=repr) == sorted(told, key=repr)


@pytest.mark.parametrize(
    "address",
    [
        *["kafka-1", "kafka-1:", ":9092", "kafka-1:kafka", "kafka-1:0", "kafka-1:65536", "a:1,b", "a:1,", "a:1, ,b:1", "", " ", "::1"],
        *["a b:1", "kafka: 9092", "user@kafka:9092", "SSL://kafka:9092", "SASL_PLAINTEXT://kafka:9092", "PLAINTEXT://", "a:1;b:2"],
        *["[]:9092", "[:::::]:9092", "[::1]", "[::1%]:9092", "[10.0.0.1]:9092", "[kafka]:9092", "[[::1]]:9092", "kafka:\u0661"],
    ],
)
def test_what_is_no_address_of_brokers_is_refused(address):
    with pytest.raises(Refused, match="HOST:PORT was expected"):
        KafkaLog(address)


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("kafka-1:9092", "kafka-1:9092"),
        ("kafka-1.example.org:9092,10.0.0.2:9093", "kafka-1.example.org:9092,10.0.0.2:9093"),
        ("[::1]:9092", "[::1]:9092"),
        ("[fe80::1%eth0]:9092", "[fe80::1%eth0]:9092"),
        ("kafka-1:9092, kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
        (" kafka-1:9092\n", "kafka-1:9092"),
        ("PLAINTEXT://kafka-1:9092, PLAINTEXT://[::1]:9092", "kafka-1:9092,[::1]:9092"),
    ],
)
def test_names_numbers_and_several_of_them_are_addresses(address, taken):
    assert checked_address(address) == taken
    hosts = {(host, port) for host, port, _ in collect_hosts(taken)}
    assert hosts == {(host.strip("[]"), int(port)) for host, _, port in (each.rpartition(":") for each in taken.split(","))}


def test_an_address_with_blanks_is_tried_as_it_is_meant():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"Kafka at 127\.0\.0\.1:{port},127\.0\.0\.1:{port} did not prepare"):
            KafkaLog(f" PLAINTEXT://127.0.0.1:{port}, 127.0.0.1:{port}\n", replicas=1, patience_ms=300)


def test_without_a_broker_opening_fails_with_a_sentence_and_in_time():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match=r"Kafka at 127\.0\.0\.1:\d+ did not prepare its topics: .*Check the brokers"):
            KafkaLog(f"127.0.0.1:{nobody.getsockname()[1]}", replicas=1, patience_ms=300)


def test_clients_that_find_no_broker_leave_no_thread_behind():
    """While a broker is away one is tried after another, for hours; each would keep a thread and its files."""
    before = set(threading.enumerate())
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        for prepare in (True, False):  # by a client to administer, and one to read
            with pytest.raises(Unavailable, match="did not prepare its topics"):
                KafkaLog(address, replicas=1, patience_ms=200, prepare=prepare)
        with closing(KafkaGroup(address, 200)) as group, pytest.raises(KafkaError):
            group._member()
    assert set(threading.enumerate()) <= before


def test_a_broker_that_went_away_is_told_to_readers(tmp_path, opened):
    def read_on():
        for _ in range(100):  # quiet at first: the last thing the broker said was that there is no more
            assert log.read(place, 100).records == ()

    with running_broker(tmp_path, WHAT) as address:
        log = opened(address, replicas=1, patience_ms=500)
        log.append(mixed(10))
        place = log.read(START, 100).place
    with closing(log), pytest.raises(Unavailable, match="Check the brokers"):
        read_on()


def test_a_writer_is_told_of_a_lost_broker_and_goes_on_with_the_next(tmp_path, opened):
    with running_broker(tmp_path, WHAT) as address:
        log = opened(address, replicas=1, patience_ms=500)
        log.append(mixed(10))
    with closing(log):
        for _ in range(2):  # with the producer it had, and with none
            with pytest.raises(Unavailable, match="did not take the entries"):
                log.append([entry(1)])
        with running_broker(tmp_path, WHAT, at=address):
            make_topics(address)  # for this broker kept nothing
            assert log.append([entry(2)])[0].position.endswith("/0")
            with closing(opened(address, replicas=1)) as reader:
                assert [said(record) for record in read_all(reader)] == [said(entry(2))]


def make_topics(address):
    """Make the topics though a writer asks the new broker for them meanwhile, which then makes them in its own way."""
    for _ in range(20):
        try:
            return KafkaLog(address, replicas=1).close()
        except Refused:
            forget_topics(address)
    return pytest.fail("somebody else makes the topics each time")


@contextmanager
def wiping(kind, folder):
    """A broker's address, and what makes it lose all that it has and answer there again, with empty topics."""
    if kind == "apache":
        with running_kafka(folder, WHAT) as broker:

            def wipe():
                broker.kill()
                shutil.rmtree(broker.folder / "data")
                broker.start()
                KafkaLog(broker.address, replicas=1).close()

            yield broker.address, wipe
        return
    with ExitStack() as running, ExitStack() as again:
        address = running.enter_context(running_broker(folder, WHAT))

        def wipe():
            running.close()
            again.enter_context(running_broker(folder, WHAT, at=address))
            KafkaLog(address, replicas=1).close()

        yield address, wipe


@pytest.mark.parametrize("kind", ["tansu", pytest.param("apache", marks=pytest.mark.slow)])
def test_a_live_producer_whose_broker_was_wiped_acknowledges_nothing_that_the_new_one_lacks(kind, opened, tmp_path):
    (tmp_path / kind).mkdir()
    with wiping(kind, tmp_path / kind) as (address, wipe), closing(opened(address, replicas=1, patience_ms=3_000)) as log:
        log.append(mixed(40))  # its numbers of sequence are far on when the next broker has never heard of it
        wipe()
        acknowledged, refused = [], []
        while len(acknowledged) < 40 and len(refused) < 10:
            wanted = entry(1_000 + len(acknowledged), key=f"agent-{len(acknowledged) % 12}")
            try:
                [record] = log.append([wanted])
            except Unavailable as error:
                refused.append(str(error))
            else:
                acknowledged.append((record.position, said(wanted)))
        assert len(acknowledged) == 40, refused
        assert all("Check the brokers" in why for why in refused)
        with closing(opened(address, replicas=1)) as reader:
            there = {record.position: said(record) for record in read_all(reader)}
        assert {position: there.get(position) for position, _ in acknowledged} == dict(acknowledged)


def test_a_producer_that_failed_for_good_is_replaced_and_what_it_refused_is_said(broker, opened):
    with closing(opened(broker, replicas=1)) as log:
        log.append([entry(1)])
        first = log._producer
        first.send = Mock(side_effect=KafkaError("the producer is fenced"))
        with pytest.raises(Unavailable, match=r"did not take the entries: KafkaError: the producer is fenced\. Check"):
            log.append([entry(2)])
        log.append([entry(2)])
        assert log._producer is not first
        assert [said(record) for record in read_all(log)] == [said(entry(1)), said(entry(2))]


def test_what_is_handed_over_while_its_producer_is_dropped_is_refused_and_the_next_goes_by_another(broker, opened, monkeypatch):
    """Nobody would hear what becomes of it, and whoever asks would wait in vain for as long as an append may take."""
    with closing(opened(broker, replicas=1, patience_ms=1_000)) as log:
        producer, tries = log._open_producer(), count()
        send = producer.send

        def dropped_meanwhile(*arguments, **options):
            if next(tries) == 3:
                log._drop(producer)
            return send(*arguments, **options)

        monkeypatch.setattr(producer, "send", dropped_meanwhile)
        with pytest.raises(Unavailable, match=r"did not take the entries: .*closed"):
            log.append([entry(number) for number in range(30)])
        [record] = log.append([entry(30)])
        assert said(record) == said(entry(30))
        refused = [said(entry(number)) for number in range(3, 30)]
        assert [each for each in map(said, read_all(log)) if each in refused] == []


def test_a_producer_that_cannot_let_go_of_what_waits_is_closed_all_the_same(broker):
    opened, before = log_class("confluent"), set(threading.enumerate())
    from confluent_kafka import KafkaException

    with closing(opened(broker, replicas=1)) as log:
        log.append([entry(1)])
        listening = [thread for thread in threading.enumerate() if thread not in before and thread.name == "kafka-answers"]
        assert len(listening) == 1
        producer = log._producer
        producer._producer = Mock(wraps=producer._producer, purge=Mock(side_effect=KafkaException()))
        log._drop(producer)
        assert producer._producer.purge.called
        listening[0].join(30)
        assert not listening[0].is_alive()


def test_a_writer_that_gave_up_sends_nothing_any_more(tmp_path):
    before = set(threading.enumerate())
    with running_kafka(tmp_path, "what a writer leaves behind that gave up") as broker:
        log = KafkaLog(broker.address, replicas=1, patience_ms=3_000)
        log.append([entry(0)])
        senders = [thread for thread in threading.enumerate() if thread not in before and "network-thread" in thread.name]
        assert senders
        broker.pause()
        with pytest.raises(Unavailable, match="did not take the entries"):
            log.append([entry(1)])
        broker.resume()
        for thread in senders:
            thread.join(30)
        assert not any(thread.is_alive() for thread in senders)
        log.close()


def test_no_client_puts_off_the_next_try_to_reach_a_broker_for_long(broker):
    with (
        closing(KafkaLog(broker, replicas=1)) as log,
        closing(log._new_producer()) as producer,
        closing(KafkaGroup(broker, 1_000)) as group,
        closing(group._member()) as member,
    ):
        told = [client.config["reconnect_backoff_max_ms"] for client in (log._consumer, producer, member)]
    assert told == [RECONNECT_MS] * 3


def test_a_reader_is_told_that_a_topic_was_made_anew(tmp_path, opened):
    with running_broker(tmp_path, WHAT) as address, closing(opened(address, replicas=1)) as log:
        log.append([entry(number) for number in range(5)])
        place = log.read(START, 100).place
    with running_broker(tmp_path, WHAT, at=address), closing(opened(address, replicas=1, patience_ms=1_000)) as log:
        with pytest.raises(Unavailable, match="was read up to 5 and now ends at 0"):
            read_all(log, place)
        assert read_all(log) == []
        log.append([entry(9)])
        with pytest.raises(Unavailable, match=r"was read up to 5 and now (ends at 1|begins again at 0)"):
            read_all(log, place)
        assert [said(record) for record in read_all(log)] == [said(entry(9))]


def test_topics_with_fewer_copies_than_asked_for_are_refused_with_the_number_to_say(kafka: str) -> None:
    KafkaLog(kafka, replicas=1).close()
    with pytest.raises(Refused, match=r"keeps 1 of each record, and 3 copies were asked for.* say --replicas 1 "):
        KafkaLog(kafka)
