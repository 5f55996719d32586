"""Whatever somebody writes into a list's filters, order, cursor and search: no statement but those of the template."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import apsw
import pytest

from headwater import (
    App,
    Contains,
    Event,
    Filter,
    Join,
    Key,
    ListQuery,
    Ne,
    Prefix,
    Projection,
    Range,
    ReadModel,
    Search,
    Searchable,
    Tag,
    on,
)
from headwater.errors import MessageError, QueryError
from headwater.read_models import Page

INPUTS = 10_000
POSTGRES_INPUTS = 400


class Opened(Event):
    code: Annotated[str, Tag("case")]
    title: str
    caller: str


class Called(Event):
    caller: Annotated[str, Tag("caller")]
    name: str


class Case(ReadModel):
    code: Annotated[str, Key()]
    title: Annotated[str, Searchable(2)]
    text: Annotated[str | None, Searchable()] = None
    status: Literal["open", "closed"] = "open"
    caller: str = ""
    opened_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    level: int = 0
    tags: list[str] = []


class Caller(ReadModel):
    caller: Annotated[str, Key()]
    name: str


class CaseWithCaller(Case):
    who: Annotated[Caller | None, Join("caller")] = None


class Cases(Projection[Case]):
    @on
    def opened(self, event: Opened) -> Case:
        return Case(code=event.code, title=event.title, text=event.title[::-1], caller=event.caller)


class Callers(Projection[Caller]):
    @on
    def called(self, event: Called) -> Caller:
        return Caller(caller=event.caller, name=event.name)


class FindCases(ListQuery[CaseWithCaller]):
    """Everything that a list can offer."""

    code: list[str] | None = None
    status: Literal["open", "closed"] | None = None
    level: Range[int] | None = None
    opened_at: Range[datetime] | None = None
    title: Annotated[str | None, Filter(by=Contains)] = None
    begins: Annotated[str | None, Filter("title", "who.name", by=Prefix)] = None
    not_by: Annotated[str | None, Filter("caller", by=Ne)] = None
    search: Annotated[str | None, Search(highlight=True)] = None


class FindPlainCases(ListQuery[Case]):
    """The same without others beside the rows."""

    title: Annotated[str | None, Filter(by=Contains)] = None
    search: Annotated[str | None, Search()] = None


app = App("cases", Opened, Called, Cases, Callers, FindCases, FindPlainCases)

HOSTILE = (
    *("'", '"', "`", ";", "--", "/*", "*/", "\\", "\0", "%", "_", "?", "?1", "$1", ":x", "@x", "{}", "{0}", "%s"),
    *("' OR '1'='1", '" OR ""="', "1; DROP TABLE cases_v1; --", "') UNION SELECT * FROM sqlite_schema --", "x'41'"),
    *("NEAR(a b)", "title:a", "{title}:a", "a OR b", "a AND", "NOT a", "^a", '"a" *', "a:*", "a <-> b", "!a & b", "(a"),
    *(
        "pg_sleep(10)",
        "'a':1A",
        "$$a$$",
        "E'\\\\'",
        "\ud800",
        "\U0010ffff",
        "\u202e",
        "e\u0301",
        "ﷺ",
        "東京",
        "😀",
        "\r\n",
    ),
    *(
        "-",
        "--",
        "+",
        ",",
        ",,",
        "-,-",
        "relevance",
        "-relevance",
        "rowid",
        "row__number",
        "title__search",
        "oid",
        "own row",
    ),
    *(
        "who",
        "who.name",
        "who.name.x",
        ".",
        "who.",
        "__class__",
        "../../x",
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "true",
        "null",
    ),
    *(
        "9" * 30,
        "a" * 600,
        "[]",
        "{}",
        '{"ge": 1}',
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "open",
        "-level",
        "code",
        "title",
    ),
)
NAMES = (
    *("code", "status", "level", "level.ge", "level.lt", "level.x", "opened_at.ge", "opened_at", "title", "begins"),
    *("not_by", "search", "sort", "fields", "page.size", "page.cursor", "page.total", "page", "tags", "who.name"),
)
TEXTS = ("code", "title", "begins", "not_by", "search", "sort", "level.ge")
SOUND = {
    "sort": ("level", "-who.name,title", "relevance", "-opened_at,code", "status"),
    "level.ge": ("0", "-5"),
    "opened_at.ge": ("2020-01-01T00:00:00Z",),
    "page.size": ("1", "3", "1000"),
    "status": ("open",),
    "search": ("pap*", '"paper jam"', "paper -jam"),
}
TOKEN = re.compile(r'"(?:[^"]|"")*"|[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|\S')
WORDS = frozenset(
    [
        *(
            "SELECT",
            "FROM",
            "WHERE",
            "ORDER",
            "BY",
            "LIMIT",
            "ASC",
            "DESC",
            "AND",
            "OR",
            "IS",
            "NULL",
            "NOT",
            "IN",
            "AS",
        ),
        *("LEFT", "JOIN", "ON", "MATCH", "COUNT", "INSTR", "LOWER", "BM25", "ROWID", "RELEVANCE", "NUMBER", "FOUND"),
        *("RANKED", "ROW__NUMBER"),
    ]
)
KNOWN = frozenset(
    [
        *(f'"{name}"' for name in (*Case.__struct_fields__, "name", "who", "own row", "relevance")),
        *('"cases_v1"', '"callers_v1"', '"cases_v1__search"'),
    ]
)
PUNCTUATION = frozenset("(),.*=<>?-")


def hostile_parameters(chance):
    """Some parameters of a list, sound and hostile ones mixed."""
    made = {}
    for name in chance.sample(NAMES if chance.random() < 0.4 else TEXTS, chance.randint(1, 3)):
        if name in SOUND and chance.random() < 0.6:
            made[name] = chance.choice(SOUND[name])
            continue
        parts = [chance.choice(HOSTILE) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        made[name] = parts if chance.random() < 0.1 else chance.choice(("", " ", "a ")).join(parts)
    if chance.random() < 0.02:
        made[chance.choice(HOSTILE)] = "x"
    return made


def damaged(cursor, chance):
    """A cursor with something changed in it."""
    at = chance.randrange(len(cursor))
    return chance.choice((cursor[:at], cursor[:at] + "A" + cursor[at + 1 :], cursor + "A", cursor[::-1], cursor))


async def ask_hostile(runtime, inputs, seed):
    """Ask so many times; gives how many were answered and how many refused, each with an error that has a type."""
    chance = random.Random(seed)
    answered, refused, cursors = 0, 0, ["AAAA"]
    for _ in range(inputs):
        parameters = hostile_parameters(chance)
        if chance.random() < 0.1:
            parameters["page.cursor"] = damaged(chance.choice(cursors), chance)
        try:
            query = app.codec.decode_query(chance.choice((FindCases, FindCases, FindPlainCases)), parameters)
            page = await runtime.ask(query)
            app.codec.encode(page)
        except (MessageError, QueryError):
            refused += 1
            continue
        assert isinstance(page, Page)
        answered += 1
        cursors = [*cursors[-50:], *filter(None, (page.next, page.previous))]
    return answered, refused


async def fill(runtime):
    """Some rows to find."""
    events = [Opened(code=f"c{n}", title=f"Paper jam {n}", caller=f"p{n % 3}") for n in range(12)]
    events += [Called(caller="p1", name="Ann")]
    await runtime.event_store.append([app.codec.encode_event(event) for event in events])
    await runtime.caught_up()


@pytest.fixture
def statements(monkeypatch):
    """Every statement that any connection runs from now on that reads rows of the lists."""
    seen = set()

    def record(_, sql, bindings):
        if '"cases_v1"' in sql:
            seen.add(sql)
        return True

    monkeypatch.setattr(apsw, "connection_hooks", [lambda connection: connection.set_exec_trace(record)])
    return seen


async def test_no_input_changes_a_statement(tmp_path, statements):
    """Texts consist of declared names and fixed words; nothing fails but with a typed error; the rows stay."""
    async with app.open(f"sqlite:///{tmp_path}/log.db") as runtime:
        await fill(runtime)
        statements.clear()
        answered, refused = await ask_hostile(runtime, INPUTS, seed=20260124)
        assert answered > INPUTS / 10
        assert refused > INPUTS / 10
        strange = {
            (token, sql)
            for sql in statements
            for token in TOKEN.findall(sql)
            if token not in KNOWN and token.upper() not in WORDS and token not in PUNCTUATION and not token[0].isdigit()
        }
        assert strange == set()
        assert len(statements) < 600
        assert await runtime.read_store.reader(Case).count() == 12


async def test_no_input_troubles_a_server(postgres_url):
    """Fewer of them, because each is a round trip."""
    async with app.open(postgres_url) as runtime:
        await fill(runtime)
        answered, refused = await ask_hostile(runtime, POSTGRES_INPUTS, seed=7)
        assert answered + refused == POSTGRES_INPUTS
        assert answered > POSTGRES_INPUTS / 10
        assert await runtime.read_store.reader(Case).count() == 12
