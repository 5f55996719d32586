"""The SQL of the read store, for one schema. Reads: statements.py. Read next: row_writing.py."""

from __future__ import annotations

from hashlib import blake2b

from headwater.backends.postgres.statements import statement
from headwater.read_store.statements import quoted


class RowStatements:
    """The statements for the read store in that schema. ``lock`` is the number of its advisory lock."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.quoted_schema = quoted(schema)
        digest = blake2b(schema.encode(), digest_size=8, person=b"headwater-rows")
        self.lock = int.from_bytes(digest.digest(), "big", signed=True)
        self._texts: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        text = self._texts.get(name)
        if text is None:
            text = self._texts[name] = statement(name).replace("{schema}", self.quoted_schema)
        return text

    def dropping_table(self, name: str) -> str:
        """The statement that drops a table of this store."""
        return f"DROP TABLE IF EXISTS {self.quoted_schema}.{quoted(name)}"
