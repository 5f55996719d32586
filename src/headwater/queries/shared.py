"""The shared cache: a port, and how answers stand in it. Reads: freshness.py. Read next: cache.py, backends/valkey/.

What lies there was written by others, so nothing of it is believed: an entry is signed with the read store's own
secret, over its key too, and says what it was made from. An entry of another store, of a projection that was built
anew, of another release of the handler, or garbage, is as good as none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import blake2b
from hmac import compare_digest
from types import CodeType
from typing import Any, Protocol

import msgspec

from headwater.event_store.opening import opener_of
from headwater.messages import Query
from headwater.queries.freshness import Basis, Part
from headwater.read_store.checkpoints import Checkpoint
from headwater.schemas import schemas_of

GROUP = "headwater.shared_caches"
_VALKEY = ("headwater.backends.valkey.cache", "open_valkey")
_BUILT_IN = {"redis": _VALKEY, "rediss": _VALKEY, "unix": _VALKEY, "valkey": _VALKEY, "valkeys": _VALKEY}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_LOG = logging.getLogger("headwater.queries")
_PERSON = b"headwater-cache"
_SIGNATURE_BYTES = 16
_KEY_BYTES = 20
_PREFIX = b"headwater:answer:"
LARGEST_BYTES = 1_048_576
"""A larger answer is not shared: fetching it would cost more than making it."""
LONGEST_SECONDS = 86_400.0
"""How long an answer stays in the shared cache if its query does not say."""


class SharedCache(Protocol):
    """Keeps bytes under keys, for a while, for several processes. It may forget anything at any time.

    It never raises: what does not work is a miss.
    """

    async def get(self, key: bytes) -> bytes | None:
        """What is kept under that key, if it comes soon."""
        ...

    async def put(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep it for so long."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


class Opener(Protocol):
    """What a backend registers for its URL scheme in the entry-point group ``headwater.shared_caches``."""

    async def __call__(self, url: str) -> SharedCache:
        """The cache of that URL. It need not be reachable yet."""
        ...


@asynccontextmanager
async def open_shared_cache(url: str | None) -> AsyncGenerator[SharedCache | None, None]:
    """The shared cache of a URL (``valkey://host:6379/0``), closed at the end of the block; ``None`` for no URL.

    Raises ``UnsupportedUrl``, ``MissingExtra``.
    """
    if url is None:
        yield None
        return
    opener: Opener = opener_of(url, GROUP, _BUILT_IN, "shared cache")
    cache = await opener(url)
    try:
        yield cache
    finally:
        await cache.close()


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it is shared: the JSON of its value, what it was made from, and when (seconds since 1970)."""

    body: bytes
    parts: tuple[SealedPart, ...]
    made_at: float

    @staticmethod
    def of(body: bytes, basis: Basis, made_at: float) -> Envelope:
        """The envelope of an answer."""
        return Envelope(body, tuple(map(SealedPart.of, basis.parts)), made_at)

    @property
    def basis(self) -> Basis:
        """What the answer was made from."""
        return Basis(tuple(part.part for part in self.parts))


class SealedPart(msgspec.Struct, frozen=True, array_like=True):
    """A part of a basis in types that come back from bytes as they were."""

    projection: str
    standing: tuple[Checkpoint, ...]
    looked: dict[str, list[Any] | None] | None

    @staticmethod
    def of(part: Part) -> SealedPart:
        """The same part."""
        if part.looked is None:
            return SealedPart(part.projection, part.standing, None)
        listed = {table: None if keys is None else list(keys) for table, keys in part.looked.items()}
        return SealedPart(part.projection, part.standing, listed)

    @property
    def part(self) -> Part:
        """The same part. Keys of several fields are tuples, which come back as lists."""
        if self.looked is None:
            return Part(self.projection, self.standing, None)
        looked = {table: None if keys is None else frozenset(map(_as_key, keys)) for table, keys in self.looked.items()}
        return Part(self.projection, self.standing, looked)


class Sealer:
    """Seals the answers of one query class, and opens those that were sealed for the same read store and handler."""

    def __init__(self, secret: bytes, facts: tuple[Any, ...]) -> None:
        self._secret = secret
        self._context = msgspec.msgpack.encode(facts)
        self._decode = msgspec.msgpack.Decoder(Envelope).decode

    def key(self, local: Any) -> bytes:
        """Under which key the answer to a query stands: nobody without the secret can guess it."""
        digest = blake2b(key=self._secret, digest_size=_KEY_BYTES, person=_PERSON)
        digest.update(self._context)
        digest.update(msgspec.msgpack.encode(local))
        return _PREFIX + digest.hexdigest().encode()

    def seal(self, key: bytes, envelope: Envelope) -> bytes:
        """The envelope as bytes, signed for that key. Raises ``TypeError`` for what cannot be shared."""
        body = msgspec.msgpack.encode(envelope)
        return self._signature(key, body) + body

    def open(self, key: bytes, sealed: bytes) -> Envelope | None:
        """What was sealed for that key, or ``None`` for anything else."""
        signature, body = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not compare_digest(signature, self._signature(key, body)):
            return None
        try:
            return self._decode(body)
        except msgspec.MsgspecError:
            return None

    def _signature(self, key: bytes, body: bytes) -> bytes:
        digest = blake2b(key=self._secret, digest_size=_SIGNATURE_BYTES, person=_PERSON)
        digest.update(len(key).to_bytes(4, "big"))
        digest.update(key)
        digest.update(body)
        return digest.digest()


def contract_facts(query: type[Query[Any]], answer_type: Any) -> str:
    """Changes with the shapes of a query and of its answer, and with the version that its cache declares."""
    schemas, components = schemas_of([query, answer_type], ref_template="{name}")
    version = 0 if query.__cache__ is None else query.__cache__.version
    told = msgspec.json.encode((schemas, components, version), order="deterministic")
    return blake2b(told, digest_size=12).hexdigest()


def code_facts(function: Any, declared: object) -> str:
    """Changes with the code of a handler, and with what its query declares."""
    digest = blake2b(digest_size=12)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        _feed(digest, code)
    digest.update(_ADDRESS.sub("", repr(declared)).encode())
    return digest.hexdigest()


def _feed(digest: Any, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed(digest, constant)
        else:
            digest.update(_plainly(constant).encode())


def _plainly(constant: Any) -> str:
    """A constant of a code object as text. The order of a set differs from process to process."""
    return ",".join(sorted(map(repr, constant))) if constant.__class__ is frozenset else repr(constant)


def _as_key(key: Any) -> Any:
    return tuple(key) if key.__class__ is list else key
