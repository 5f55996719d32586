"""The same commands in every way they can be carried out, against a model that keeps nothing but the log.

The model folds the whole log for each command. A ``Play`` has one application, opened once or several times on one
store, with states kept or not, with snapshots or not, and sends it random commands: one after another, each compared
with the model, or many at once, after which the log must prove that each was decided on what stands before it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Self

import msgspec
import pytest
from tests.campaigns.deciders import FACTS, KINDS, Do, DoOne, DoSeveral, DoTwo, Kind, Line, Write, deciders

from headwater.aggregates import aggregate_plan, default_boundary, evolved_types, overrides
from headwater.commands.executor import Origin
from headwater.errors import ContractError, ExpectationFailed, HeadwaterError, IdempotencyMismatch, Refused
from headwater.event_store.protocol import NewEvent, RecordedEvent
from headwater.messages import Receipt
from headwater.runtime import Runtime
from headwater.tags import tag_fields
from headwater.testing import Scenario, scenario

PLANS = {command: aggregate_plan(kind) for command, kind in KINDS.items()}
CODEC = deciders().codec
APPS = {every: deciders(every) for every in (None, 1, 2, 3)}

Stored = tuple[str, int, bytes, tuple[str, ...]]


class Told(msgspec.Struct, frozen=True):
    """What came of a command: an error, or the receipt; ``position`` 0 where it says only how far was looked."""

    error: str = ""
    fields: Any = None
    position: int = 0
    replayed: bool = False
    stored: tuple[Stored, ...] = ()


def told_of(error: Exception) -> Told:
    """An error, without the words that say how it was come by."""
    if isinstance(error, IdempotencyMismatch):  # it names the command whose events bear the key
        return Told("IdempotencyMismatch")
    return Told(type(error).__name__, error.fields if isinstance(error, HeadwaterError) else str(error))


def query_of(state: Kind) -> Any:
    """What a state's boundary looks at; ``None`` if that is nothing."""
    if overrides(type(state), "boundary"):
        return state.boundary()
    types = evolved_types(type(state))
    query = default_boundary(state, tag_fields(type(state)), types)
    return query if types and query.items else None


class Model:
    """What should come of commands, worked out from the log alone."""

    def __init__(self) -> None:
        self.log: list[RecordedEvent] = []
        self.keys: dict[str, tuple[Any, int]] = {}

    def state(self, command: Do, up_to: int | None = None) -> tuple[Kind, int]:
        """The state that a command is decided on, and the position of its last event."""
        plan = PLANS[type(command)]
        state: Any = plan.cls.start(command)
        query, version = query_of(state), 0
        for record in self.log[:up_to]:
            if query is not None and query.matches(record.type, record.tags):
                plan.evolve(state, CODEC.recorded(record))
                version = record.position
        return state, version

    def told(self, command: Do, expect: int | None, key: str | None) -> Told:
        """What should come of it."""
        before = len(self.log)
        try:
            position, replayed = self._carry_out(command, expect, key, None, ())
            made = Told(position=position, replayed=replayed)
        except (HeadwaterError, ArithmeticError) as error:
            made = told_of(error)
        new, self.log[before:] = self.log[before:], []
        return msgspec.structs.replace(made, stored=tuple(stored_as(record) for record in new))

    def _carry_out(
        self, command: Do, expect: int | None, key: str | None, digest: Any, marks: tuple[str, ...]
    ) -> tuple[int, bool]:
        tags = () if key is None else (f"idempotency:{key}", *marks)
        digest = digest or command
        for tag in tags[:1]:
            if tag in self.keys:
                if self.keys[tag][0] != digest:
                    raise IdempotencyMismatch("used", command=type(self.keys[tag][0]).__name__)
                return self.keys[tag][1], True
        if isinstance(command, DoSeveral):
            values = msgspec.structs.asdict(command)
            first = None if key is None else f"{key}/0"
            self._carry_out(DoOne(**values), expect, first, digest, ())
            return self._carry_out(DoTwo(**values), None, None if key is None else f"{key}/1", digest, tags)
        state, version = self.state(command)
        if expect is not None and not (version <= expect and (expect <= len(self.log) or query_of(state) is None)):
            raise ExpectationFailed("changed", expected=expect, actual=version)
        events = PLANS[type(command)].deciders[type(command)].decide(state, command, lambda: None, {})
        for event in events:
            new = CODEC.encode_event(event, b"{}", tags)
            self.log.append(recorded(new, len(self.log) + 1))
        if events:
            self.keys.update(dict.fromkeys(tags, (digest, len(self.log))))
        return (len(self.log) if events else version), False


def recorded(new: NewEvent, position: int) -> RecordedEvent:
    """As the log would hold it."""
    return RecordedEvent(position, new.type, new.version, new.data, new.tags, b"{}", new.id.bytes, 0)


def stored_as(record: RecordedEvent) -> Stored:
    """What of an event does not depend on who made it when."""
    return record.type, record.version, record.data, tuple(sorted(record.tags))


class Play:
    """One application in one way, chosen at random from the seed."""

    def __init__(self, seed: int, url: str) -> None:
        self.random = random.Random(seed)
        choose = self.random.choice
        self.url = url
        self.cache_size = choose((0, 1, 3, 10_000))
        self.app = APPS[choose((None, None, 1, 2, 3))]
        self.openings = 1 if url == "memory:" else choose((1, 1, 2, 3))
        self.names = "abc"[: choose((1, 2, 3))]
        self.does_terms = choose((True, False))
        self.model = Model()
        self.sent: list[Do] = []
        self.left: set[int] = set()
        """The numbers of those whose callers did not wait."""
        self.pages = choose(((4096, 256), (4096, 256), (3, 256), (2, 1)))
        """How many events are read at once, and how many without waiting."""
        self.runtimes: list[Runtime] = []
        self.stack = AsyncExitStack()

    def __repr__(self) -> str:
        snapshots = self.kind_of(DoOne).snapshot_every
        return f"<{self.url} cache_size={self.cache_size} snapshots={snapshots} openings={self.openings}>"

    async def __aenter__(self) -> Self:
        for _ in range(self.openings):
            opening = self.app.open(self.url, cache_size=self.cache_size, follow=False, read_store="memory:")
            self.runtimes.append(await self.stack.enter_async_context(opening))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()
        self.runtimes.clear()

    @contextmanager
    def in_pages(self) -> Iterator[None]:
        """Read no more at once than this play says."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("headwater.commands.loading._PAGE", self.pages[0])
            patch.setattr("headwater.backends.sqlite.bodies.INLINE_ROWS", self.pages[1])
            yield

    # -- one after another

    async def step(self) -> None:
        """One thing happens, and everybody must agree on what came of it."""
        roll = self.random.random()
        if roll < 0.05:
            await self.append_strange()
        elif roll < 0.08 and self.url != "memory:":
            await self.__aexit__()
            self.stack = AsyncExitStack()
            await self.__aenter__()
        elif roll < 0.12:
            await self.look()
        else:
            await self.compare()

    async def compare(self) -> None:
        """Send a command, and compare with the model what came of it and what is in the log."""
        command, expect, key = self.command(), self.expect(), self.key()
        wanted = self.model.told(command, expect, key)
        origin = Origin(expect=expect, idempotency_key=key)
        try:
            receipt = await self.send(self.random.choice(self.runtimes), command, origin)
            got = Told(position=receipt.position, replayed=receipt.replayed)
        except (HeadwaterError, ArithmeticError) as error:
            got = told_of(error)
        new = await self.read_on()
        got = msgspec.structs.replace(got, stored=tuple(stored_as(record) for record in new))
        if not wanted.error and not wanted.position:  # how far was looked is anybody's guess
            assert got.position <= len(self.model.log)
            got = msgspec.structs.replace(got, position=0)
        assert got == wanted, (self, command, origin, len(self.sent))

    async def look(self) -> None:
        """What is on offer is what the model's state would offer."""
        x = self.random.choice(self.names)
        offers = await self.random.choice(self.runtimes).offers(self.kind_of(DoOne), x=x)
        state, version = self.model.state(DoOne(x=x))
        assert offers is not None
        reason = PLANS[DoOne].deciders[DoOne].reason_against(state)
        assert (offers.position, [offer.reason for offer in offers.offers]) == (version, [reason]), self

    async def append_strange(self) -> None:
        """Something else appends what it has: of an old form, under an old name, or of a type that nobody knows."""
        name, data = self.random.choice(
            [("OldB", b'{"no":3,"xs":["a"],"saw":"other"}'), ("B", b'{"no":4,"xs":["b"]}'), ("Strange", b"\x00{")]
        )
        tags = self.random.choice([("x:a",), ("x:b", "y:c"), ()])
        await self.random.choice(self.runtimes).event_store.append([NewEvent(name, data, tags)])
        await self.read_on()

    async def read_on(self) -> Sequence[RecordedEvent]:
        """What the log has more than the model."""
        found = await self.runtimes[0].event_store.read(after=len(self.model.log))
        self.model.log += found.events
        return found.events

    async def send(self, runtime: Runtime, command: Do, origin: Origin) -> Receipt:
        """By one of the calls that there are."""
        body = msgspec.json.encode(command)
        roll = self.random.random()
        if roll < 0.3:
            return await runtime.execute(command, expect=origin.expect, idempotency_key=origin.idempotency_key)
        if roll < 0.5:
            return await runtime.execute_json(type(command), body, origin)
        future: asyncio.Future[Receipt | Exception] = asyncio.get_running_loop().create_future()
        runtime.begin_json(type(command).__name__, body, origin, future.set_result)
        outcome = await future
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    # -- many at once

    async def at_once(self, count: int) -> None:
        """Send so many commands at the same moment, and have the log prove that each was decided as it had to be."""
        head = len(self.model.log)
        commands = [self.command() for _ in range(count)]
        keys = {command.number: f"n{command.number}" for command in commands if self.random.random() < 0.2}
        commands += [command for command in commands if command.number in keys]  # they are sent twice
        sent = [
            asyncio.ensure_future(
                self.send(self.random.choice(self.runtimes), command, Origin(idempotency_key=keys.get(command.number)))
            )
            for command in commands
        ]
        if self.does_terms:  # some callers go away in the middle; what they sent may be stored, or not
            for _ in range(self.random.randrange(3)):
                for _ in range(self.random.randrange(8)):
                    await asyncio.sleep(0)
                self.random.choice(sent).cancel()
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        await self.read_on()
        groups = self.groups(head)
        for command, outcome in zip(commands, outcomes, strict=True):
            if isinstance(outcome, Refused | ArithmeticError):
                saw = outcome.fields.get("saw") if isinstance(outcome, Refused) else str(outcome)
                assert saw is None or isinstance(command, DoSeveral) or saw in self.digests(command, head), self
            elif isinstance(outcome, asyncio.CancelledError):
                self.left.add(command.number)
            elif isinstance(outcome, BaseException):
                raise outcome
            elif isinstance(command, DoSeveral):  # one of its commands may have stored nothing
                continue
            elif command.number in groups:
                decided_nothing = command.number in keys and "nothing" in command.does.values()  # before the other did
                assert outcome.position == groups[command.number] or decided_nothing, self
            else:
                assert not command.writes or "nothing" in command.does.values(), self
        known = self.left | {command.number for command in commands}
        assert all(isinstance(self.sent[number], DoSeveral) for number in groups.keys() - known), self

    def groups(self, head: int) -> dict[int, int]:
        """Which commands stored something, and where its last event is; each was decided on what stands before it."""
        found: dict[int, int] = {}
        before: tuple[int, str] = (-1, "")
        for position in range(head + 1, len(self.model.log) + 1):
            event: Any = CODEC.decode(self.model.log[position - 1])
            number, saw = int(event.number), event.saw
            if (number, saw) != before:
                sent, kind = self.sent[number], saw.partition(":")[0]
                command = DoOne if kind == "One" else DoTwo if kind == "Two" else type(sent)
                assert number not in found or isinstance(sent, DoSeveral), self
                state, _ = self.model.state(command(**msgspec.structs.asdict(sent)), position - 1)
                assert saw == f"{kind}:{state.digest()}", (self, sent, position)
            before = number, saw
            found[number] = position
        return found

    def digests(self, command: Do, head: int) -> set[str]:
        """The states in which it can have been decided."""
        return {self.model.state(command, up_to)[0].digest() for up_to in range(head, len(self.model.log) + 1)}

    # -- what is sent

    def command(self) -> Do:
        """Any command: what it makes is often about its own boundary, and often about others."""
        choose, few = self.random.choice, self.names
        cls = choose([*KINDS, DoOne, DoSeveral])
        command = cls(
            x=choose(few),
            y=choose([None, *few]),
            xs=self.random.sample(few, self.random.randint(0, len(few))),
            lines=[Line(z=self.random.randint(1, 2)) for _ in range(self.random.randint(0, 2))],
            writes=[self.write() for _ in range(choose((0, 1, 1, 1, 2, 3)))],
            number=len(self.sent),
            does={number: choose(("refuse", "raise", "nothing")) for number in range(4) if self.random.random() < 0.15},
        )
        self.sent.append(command)
        return command

    def write(self) -> Write:
        """An event to make."""
        some = self.random.sample(self.names, self.random.randint(0, len(self.names)))
        zs = [self.random.randint(1, 2) for _ in range(self.random.randint(0, 2))]
        return Write(self.random.choice(list(FACTS)), tuple(some), self.random.choice([None, *self.names]), tuple(zs))

    def expect(self) -> int | None:
        """Any position, often a likely one."""
        if not self.does_terms or self.random.random() < 0.7:
            return None
        head = len(self.model.log)
        return self.random.choice((0, head, max(head - 1, 0), head + 2, self.random.randint(0, head)))

    def key(self) -> str | None:
        """One of a few, so that many come again."""
        return f"k{self.random.randint(1, 40)}" if self.does_terms and self.random.random() < 0.4 else None

    def kind_of(self, command: type[Do]) -> type[Kind]:
        """The aggregate as this application has it."""
        cls: Any = self.app.wiring.routes[command].plan.cls
        return cls


async def one_after_another(seed: int, url: str, steps: int) -> Model:
    """A play whose every step is compared."""
    async with Play(seed, url) as play:
        with play.in_pages():
            for _ in range(steps):
                await play.step()
        return play.model


async def many_at_once(seed: int, url: str, rounds: int) -> Model:
    """A play of rounds in which many commands are sent at the same moment."""
    async with Play(seed, url) as play:
        with play.in_pages():
            for _ in range(rounds):
                await play.at_once(play.random.randint(2, 12))
        return play.model


def as_scenarios(seed: int, commands: int) -> int:
    """Hold scenarios against the model; how many were. They refuse events that change when they are stored."""
    play, held = Play(seed, "memory:"), 0
    log = play.model.log
    for _ in range(commands):
        command = play.command()
        if isinstance(command, DoSeveral):
            continue
        told = play.model.told(command, None, None)
        before = scenario(KINDS[type(command)]).given(*map(CODEC.recorded, log))
        got = _told_by(before, command)
        if got is not None:
            new = tuple((name, data) for name, _, data, _ in told.stored)
            assert got == (told.error, told.fields, new), (seed, command)
            held += 1
        for name, version, data, tags in told.stored:
            log.append(recorded(NewEvent(name, data, tags, version=version), len(log) + 1))
    return held


def _told_by(before: Scenario[Any], command: Do) -> tuple[str, Any, tuple[tuple[str, bytes], ...]] | None:
    """An error and its fields, or events; ``None`` for events that a scenario refuses."""
    try:
        outcome = before.when(command)
    except ArithmeticError as error:
        return told_of(error).error, told_of(error).fields, ()
    except ContractError:
        return None
    refusal = None if outcome.refusal is None else told_of(outcome.refusal)
    events = [CODEC.encode_event(event) for event in outcome.events]
    made = tuple((event.type, event.data) for event in events)
    return ("", None, made) if refusal is None else (refusal.error, refusal.fields, ())
