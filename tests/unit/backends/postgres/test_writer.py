"""What becomes of appends when the server or the connection fails."""

from __future__ import annotations

import asyncio
from time import perf_counter
from uuid import uuid4

import asyncpg
import pytest
from tests.servers.postgres import served

from headwater.backends.postgres.batches import Batch
from headwater.backends.postgres.statements import statement
from headwater.errors import InvalidAppend, OutcomeUnknown, StoreError, StoreIOError, StoreReadOnly
from headwater.event_store import ALL, AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store
from headwater.event_store.protocol import RecordedEvent

CUT_WRITERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND {}"
)


def event(*tags):
    return NewEvent("A", b"{}", tags)


async def running(sql, what, condition):
    """Wait until a session of the database is seen that way."""
    async with asyncio.timeout(20):
        asked = f"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '{what}' AND "
        while not await asyncio.to_thread(sql, asked + condition):  # noqa: ASYNC110  another process moves
            await asyncio.sleep(0.02)


async def seen(sql, question, answer):
    """Wait until the server gives that answer."""
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(sql, question))[0][0] != answer:  # noqa: ASYNC110  another process moves
            await asyncio.sleep(0.02)


async def test_a_connection_cut_between_appends_is_made_anew(store, sql):
    """The batch that notices is told that nobody knows, and repeating it is safe."""
    await store.append([event("x")])
    sql(CUT_WRITERS.format("true"))
    new = [event("y")]
    for _ in range(3):
        try:
            made = await store.append(new)
            break
        except OutcomeUnknown:
            continue
    assert (made.first, made.last) == (2, 2)
    assert await store.head() == 2


async def test_a_connection_cut_while_appending_leaves_the_outcome_open(store, sql, postgres_url):
    """Every request of the batch is told so; the repeats are stored once."""
    await store.append([event("x")])
    lock = (
        "DO $$ BEGIN PERFORM pg_advisory_xact_lock((18519::bigint << 32) + 'headwater.events'::regclass::oid::bigint);"
        " PERFORM pg_sleep(60); END $$"
    )
    holder = asyncio.ensure_future(asyncio.to_thread(sql, lock))
    await running(sql, "DO %", "wait_event = 'PgSleep'")
    new = [[event("y")], [event("z")]]
    appends = [asyncio.ensure_future(store.append(one)) for one in new]
    await running(sql, "%append_batch%", "wait_event_type = 'Lock'")
    await asyncio.to_thread(sql, CUT_WRITERS.format("query LIKE '%append_batch%'"))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 2
    assert outcomes[0] is not outcomes[1]
    await asyncio.to_thread(sql, CUT_WRITERS.format("query LIKE 'DO %'"))
    await asyncio.gather(holder, return_exceptions=True)
    assert [await store.append(one) for one in new] == [Appended(2, 2), Appended(3, 3)]


async def test_an_acknowledgement_that_was_lost(store):
    """The commit happened, the answer did not come: the repeat gets the first outcome."""
    await store.append([event("x")])
    lane = store._writer._idle[-1]
    connection = lane.connection
    answered = connection.fetchrow

    class Deaf:
        is_closed = staticmethod(connection.is_closed)
        terminate = staticmethod(connection.terminate)

        @staticmethod
        async def fetchrow(*call):
            await answered(*call)
            raise ConnectionResetError

    lane.connection = Deaf
    new, condition = [event("y"), event("y")], AppendCondition(EventQuery.of(tags=("y",)))
    with pytest.raises(OutcomeUnknown):
        await store.append(new, condition)
    assert await store.append(new, condition) == Appended(2, 3, replayed=True)


async def test_a_server_that_goes_away_and_comes_back():
    """Appends fail with typed errors meanwhile, and go on afterwards, without a restart of the application."""
    with served() as server:
        async with open_store(server.fresh_database()) as store:
            await store.append([event("x")])
            await asyncio.to_thread(server.stop)
            new = [event("y")]
            for _ in range(2):
                with pytest.raises(StoreError) as told:
                    await store.append(new)
                assert isinstance(told.value, OutcomeUnknown | StoreIOError)
            with pytest.raises(StoreIOError):
                await store.read(ALL)
            await asyncio.to_thread(server.start)
            assert await store.append(new) == Appended(2, 2)
            assert (await store.read(ALL)).head == 2


async def test_more_than_the_server_can_take_at_once_is_refused(store):
    """Else the connection would break, and nobody could say what became of the append."""
    large = b"x" * (60 << 20)
    with pytest.raises(InvalidAppend, match="512 MiB"):
        await store.append([NewEvent("A", large) for _ in range(9)])
    recorded = [RecordedEvent(at, "A", 1, large, (), b"{}", uuid4().bytes, 0) for at in range(1, 10)]
    with pytest.raises(InvalidAppend, match="fewer"):
        await store.copy(recorded)
    assert await store.head() == 0


async def test_a_read_only_server_is_named_so(store, sql, postgres_url):
    """As a replica is, or a database under maintenance."""
    name = postgres_url.rpartition("/")[2]
    sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with open_store(postgres_url, migrate=False) as reading:
        with pytest.raises(StoreReadOnly) as refusal:
            await reading.append([event("x")])
        assert "primary" in refusal.value.remedy
        assert (await reading.read(ALL)).head == 0


async def test_another_isolation_level_is_refused(store, sql, postgres_url):
    """There a condition would be checked on an old snapshot."""
    name = postgres_url.rpartition("/")[2]
    sql(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    async with open_store(postgres_url) as other:
        with pytest.raises(StoreIOError) as refusal:
            await other.append([event("x")])
    assert "read committed" in refusal.value.remedy
    assert await store.head() == 0


async def test_commits_wait_for_the_disk_also_where_the_database_says_otherwise(store, sql, postgres_url):
    """Acknowledged means durable, unless the URL says relaxed."""
    name = postgres_url.rpartition("/")[2]
    sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    sql(
        "CREATE FUNCTION headwater.note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
    )
    sql("CREATE TABLE public.noted (setting text)")
    sql("CREATE TRIGGER note AFTER INSERT ON headwater.events EXECUTE FUNCTION headwater.note()")
    for options in ("", "?durability=relaxed"):
        async with open_store(postgres_url + options) as opened:
            await opened.append([event("x")])
            assert opened.capabilities.durable is not bool(options)
    assert sql("SELECT setting FROM public.noted") == [("on",), ("off",)]


async def test_names_that_no_index_holds_are_refused_in_their_own_turn(store):
    """Appends beside them go through."""
    long = "\N{GRINNING FACE}" * 1_000
    outcomes = await asyncio.gather(
        store.append([event("x")]),
        store.append([event(long)]),
        store.append([NewEvent(long, b"")]),
        store.append([event("e" * 1_024)]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, InvalidAppend, InvalidAppend, Appended]


async def test_a_large_batch_goes_in_parts(store):
    """Each is a commit, and two are under way at a time; the outcomes are as if all came one after the other."""
    free = EventQuery.of(tags=("seat",))
    outcomes = await asyncio.gather(
        *(store.append([event("seat" if number % 100 == 50 else "x")], AppendCondition(free)) for number in range(500))
    )
    seats = [event.position for event in (await store.read(free)).events]
    made = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
    assert len(seats) == 1
    assert sorted(outcome.first for outcome in made) == list(range(1, seats[0] + 1))
    assert set(outcomes) - set(made) == {Conflict(seats[0])}


async def test_parts_that_are_done_are_forgotten_while_more_come(store):
    """The writer remembers what is under way, and not all that ever was."""

    async def client():
        for _ in range(20):
            await store.append([event("x")])

    await asyncio.gather(*(client() for _ in range(256)))
    assert await store.head() == 256 * 20
    await asyncio.sleep(0)
    assert not store._writer._flying


async def test_what_callers_ask_next_is_sent_before_others_are_answered(store, sql, postgres_url, monkeypatch):
    """Two parts wait at the server and come back one after the other, while the callers of the first one are busy."""
    answered, answered_when_sent = [], []

    class Noted(Batch):
        def __init__(self, requests, *, warily=False):
            answered_when_sent.append(len(answered))
            super().__init__(requests, warily=warily)

    async def client():
        await store.append([event("x")])
        answered.append(1)
        until = perf_counter() + 1e-4
        while perf_counter() < until:  # keeps the loop, so that the other part comes back meanwhile
            pass
        await store.append([event("x")])

    await asyncio.gather(*(store.append([event("x")]) for _ in range(256)))  # both lanes have connections now
    turn = "pg_advisory_{}lock((18519::bigint << 32) + 'headwater.events'::regclass::oid::bigint)"
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    before, after = await asyncpg.connect(postgres_url), await asyncpg.connect(postgres_url)
    await before.execute("SELECT " + turn.format(""))
    monkeypatch.setattr("headwater.backends.postgres.writer.Batch", Noted)
    clients = asyncio.gather(*(client() for _ in range(256)))
    await seen(sql, waiting, 2)
    others = asyncio.create_task(after.execute("SELECT " + turn.format("")))
    await seen(sql, waiting, 3)
    await before.execute("SELECT " + turn.format("un"))
    await others
    await asyncio.gather(before.close(), after.close())
    await clients
    assert answered_when_sent == [0, 0, 128, 256]


async def test_many_appends_need_no_second_connection(store, postgres_server, postgres_url):
    """Where the server takes no more of them, they go one part after another."""
    await store.append([event("x")])
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    outcomes = await asyncio.gather(*(store.append([event("x")]) for _ in range(600)), return_exceptions=True)
    assert sorted(outcome.first for outcome in outcomes) == list(range(2, 602))


async def test_a_condition_knows_types_that_came_while_it_waited_for_its_turn(store, sql, postgres_url):
    """Known types are looked for before the lock is taken, so what is not known yet is looked for again behind it."""
    await store.append([event("x")])
    other = await asyncpg.connect(postgres_url)
    before = Batch([([NewEvent("New", b"{}", ("x",))], None)]).arguments()
    async with other.transaction():
        await other.fetchrow(statement("append_batch").format(schema="headwater"), False, True, 0, *before)
        of = EventQuery.of
        queries = [
            of(tags=("x",)),
            of(types=("A",), tags=("y",)),
            of(types=("New",)),
            of(types=("A", "New"), tags=("x",)),
        ]
        appends = [asyncio.ensure_future(store.append([event("z")], AppendCondition(one, 1))) for one in queries]
        await running(sql, "%append_batch%", "wait_event_type = 'Lock'")
    await other.close()
    assert await asyncio.gather(*appends) == [Conflict(2), Appended(3, 3), Conflict(2), Conflict(2)]


async def test_both_connections_of_the_writer_may_be_lost(store, sql):
    """Every request is told that nobody knows, and repeating them stores each once."""
    await asyncio.gather(*(store.append([event("x")]) for _ in range(600)))
    assert len(store._writer._idle) == 2
    sql(CUT_WRITERS.format("query LIKE '%append_batch%'"))
    new = [[event("y")] for _ in range(600)]
    left = new
    while left:
        outcomes = await asyncio.gather(*map(store.append, left), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {Appended, OutcomeUnknown}
        left = [one for one, outcome in zip(left, outcomes, strict=True) if isinstance(outcome, OutcomeUnknown)]
    assert await store.head() == 1_200
    stored = (await store.read(EventQuery.of(tags=("y",)))).events
    assert {made.id for made in stored} == {one[0].id for one in new}
