"""The marks on the fields of a row: what it is found by, kept in order by, searched by, and joined by.

Reads: words.py. Read next: read_models.py.
"""

from __future__ import annotations

from headwater.words import SIMPLE


class Key:
    """Marks the field that identifies a row: ``Annotated[str, Key()]``. Several marked fields are one key together."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Key()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key)

    def __hash__(self) -> int:
        return hash(Key)


class Indexed:
    """Marks a field that is often filtered or sorted by: the read store keeps an index on it.

    ``Indexed("opened_at")`` on ``status`` serves lists that are filtered by status and sorted by ``opened_at``: the
    index goes on with the named fields.
    """

    __slots__ = ("then",)

    def __init__(self, *then: str) -> None:
        self.then = then

    def __repr__(self) -> str:
        return f"Indexed({', '.join(map(repr, self.then))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Indexed) and other.then == self.then

    def __hash__(self) -> int:
        return hash((Indexed, self.then))


class Searchable:
    """Marks a text that is searched by its words: ``Annotated[str, Searchable()]``; the read store keeps an index.

    A word found in a field of greater ``weight`` puts the row further to the front; a model has at most four different
    weights. ``language`` (the same in all fields of a model) finds a word in all its forms: ``english``, ``german`` ...
    need the extra ``search``; ``simple`` takes words as they stand, without case and accents.
    """

    __slots__ = ("language", "weight")

    def __init__(self, weight: float = 1.0, *, language: str = SIMPLE) -> None:
        self.weight = weight
        self.language = language

    def __repr__(self) -> str:
        return f"Searchable({self.weight!r}, language={self.language!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Searchable) and (other.weight, other.language) == (self.weight, self.language)

    def __hash__(self) -> int:
        return hash((Searchable, self.weight, self.language))


class Join:
    """Marks a field that holds a row of another read model, found by its key: ``Annotated[CallerRow | None, Join()]``.

        class IncidentWithCaller(IncidentRow):
            caller_row: Annotated[CallerRow | None, Join("caller")] = None

    The named fields of the row (``caller``) are the key of the other; for a key of several fields, in their order. Such
    a class is read only: nothing fills it, its rows are those of the class above it, each with the other row beside it
    (or ``None``), read in one statement.
    """

    __slots__ = ("fields",)

    def __init__(self, *fields: str) -> None:
        self.fields = fields

    def __repr__(self) -> str:
        return f"Join({', '.join(map(repr, self.fields))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Join) and other.fields == self.fields

    def __hash__(self) -> int:
        return hash((Join, self.fields))
