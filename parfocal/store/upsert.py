"""Writing normalised items: who is new, who changed, who is a duplicate.

Runs within a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import zstandard
from msgspec import Struct

from parfocal.identifiers import RecordId
from parfocal.model import Record, encode
from parfocal.values import Counts, Normalised, Problem

_KNOWN = """SELECT r.id, r.seq, r.raw, r.body, raw.seen
            FROM records r LEFT JOIN raw ON raw.id = r.raw
            WHERE r.id IN (SELECT value FROM json_each(?))"""
_COMPRESSOR_LEVEL = 3


class _Known(Struct):
    seq: int
    raw: int | None
    body: bytes | None
    seen: int | None


def now() -> str:
    """Return the present time, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Upsert:
    """Upserts the items of one batch; numbers (seq, revision) are given in order of the records."""

    def __init__(
        self, connection: sqlite3.Connection, source: str, run: int, *, rebuilding: bool = False
    ) -> None:
        self._db = connection
        self._source = source
        self._run = run
        self._zstd = zstandard.ZstdCompressor(level=_COMPRESSOR_LEVEL)
        self._revision: int = connection.execute(
            "SELECT coalesce(max(revision), 0) FROM records"
        ).fetchone()[0]
        self._seq: int = connection.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[
            0
        ]
        self._places: dict[str, int] = {}
        self._twice: list[Problem] = []
        self._rebuilding = rebuilding

    def item(self, normalised: Normalised) -> Counts:
        """Keep one raw item and upsert its records."""
        raw, fresh = self._keep(normalised)
        return self._upsert(raw, normalised, fresh)

    def again(self, raw: int, normalised: Normalised) -> Counts:
        """Upsert the records of a raw item that is kept already."""
        return self._upsert(raw, normalised, fresh=False)

    def _upsert(self, raw: int, normalised: Normalised, fresh: bool) -> Counts:
        self._twice = []
        records, bodies = self._unique(normalised)
        known = {} if not records else self._known(records)
        counts = self._write(normalised.item.key, raw, records, bodies, known)
        # What an item hides behind an error may still be there.
        if not fresh and all(problem.severity != "error" for problem in normalised.problems):
            self._orphan(raw, records)
        self._replace_problems(raw, (*normalised.problems, *self._twice))
        return counts

    def _keep(self, normalised: Normalised) -> tuple[int, bool]:
        item = normalised.item
        content = self._zstd.compress(item.content)
        row = self._db.execute(
            "SELECT id FROM raw WHERE source = ? AND key = ?", (self._source, item.key)
        ).fetchone()
        if row is None:
            cursor = self._db.execute(
                "INSERT INTO raw(source, key, digest, content, seen, written, retrieved, stamp,"
                " identity, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self._source, item.key, item.digest, content, self._run, self._run, now()),
                    *(item.stamp, item.identity, item.name),
                ),
            )
            return int(cursor.lastrowid or 0), True
        self._db.execute(
            "UPDATE raw SET digest = ?, content = ?, seen = ?, written = ?, retrieved = ?,"
            " stamp = ?, identity = ?, name = ? WHERE id = ?",
            (
                *(item.digest, content, self._run, self._run, now()),
                *(item.stamp, item.identity, item.name, row[0]),
            ),
        )
        return int(row[0]), False

    def _replace_problems(self, raw: int, problems: Iterable[Problem]) -> None:
        self._db.execute("DELETE FROM problems WHERE raw = ?", (raw,))
        write_problems(self._db, self._source, self._run, problems, raw)

    def _unique(self, normalised: Normalised) -> tuple[list[Record], list[bytes]]:
        unique: dict[RecordId, Record] = {}
        for record in normalised.records:
            if record.id in unique:
                self._duplicate(normalised.item.key, record.id)
            else:
                unique[record.id] = record
        records = list(unique.values())
        return records, [encode(record) for record in records]

    def _duplicate(self, key: str, id: RecordId) -> None:
        self._twice.append(
            Problem(
                key,
                f"the identifier {id} is used twice; the first one is kept",
                severity="warning",
                hint="give the two different names in the source",
            )
        )

    def _known(self, records: Sequence[Record]) -> dict[str, _Known]:
        ids = _json_list(record.id for record in records)
        return {row[0]: _Known(*row[1:]) for row in self._db.execute(_KNOWN, (ids,))}

    def _write(
        self,
        key: str,
        raw: int,
        records: list[Record],
        bodies: list[bytes],
        known: dict[str, _Known],
    ) -> Counts:
        new: list[tuple[object, ...]] = []
        changed: list[tuple[object, ...]] = []
        adopted: list[tuple[int, int]] = []
        unchanged = 0
        revived = 0
        for record, body in zip(records, bodies, strict=True):
            old = known.get(record.id)
            if old is None:
                self._seq += 1
                self._revision += 1
                new.append(
                    (
                        self._seq,
                        record.id,
                        self._source,
                        raw,
                        self._place(record),
                        self._revision,
                        body,
                    )
                )
            elif old.body is not None and self._belongs_to_another(old, raw):
                self._duplicate(key, record.id)
                self._read_again(raw)
            elif old.body == body:
                unchanged += 1
                if old.raw != raw:
                    adopted.append((raw, old.seq))
            else:
                self._revision += 1
                revived += old.body is None
                changed.append((raw, self._place(record), self._revision, body, old.seq))
        self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", new)
        self._db.executemany(
            "UPDATE records SET raw = ?, place = ?, revision = ?, body = ? WHERE seq = ?", changed
        )
        self._db.executemany("UPDATE records SET raw = ? WHERE seq = ?", adopted)
        return Counts(new=len(new) + revived, changed=len(changed) - revived, unchanged=unchanged)

    def _belongs_to_another(self, old: _Known, raw: int) -> bool:
        """Whether an item that came before in this run gave the record as well."""
        if old.raw is None or old.raw == raw:
            return False
        return old.raw < raw if self._rebuilding else old.seen == self._run

    def _read_again(self, raw: int) -> None:
        """Let the next walk read an item anew: the record may be its own by then."""
        self._db.execute("UPDATE raw SET written = -1, stamp = '' WHERE id = ?", (raw,))

    def _place(self, record: Record) -> int | None:
        name = record.part_of
        if name is None:
            return None
        if name not in self._places:
            self._db.execute("INSERT OR IGNORE INTO places(name) VALUES (?)", (name,))
            row = self._db.execute("SELECT id FROM places WHERE name = ?", (name,)).fetchone()
            self._places[name] = row[0]
        return self._places[name]

    def _orphan(self, raw: int, records: list[Record]) -> None:
        """Let go of the records that this item gave before and no longer gives."""
        kept = _json_list(record.id for record in records)
        self._db.execute(
            "UPDATE records SET raw = NULL WHERE source = ? AND raw = ? AND body IS NOT NULL"
            " AND id NOT IN (SELECT value FROM json_each(?))",
            (self._source, raw, kept),
        )


def _json_list(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def write_problems(
    db: sqlite3.Connection, source: str, run: int, problems: Iterable[Problem], raw: int | None
) -> None:
    """Store problems of a raw item, or of the walk itself when ``raw`` is None."""
    db.executemany(
        "INSERT INTO problems(source, run, raw, item, place, reason, hint, severity)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(source, run, raw, p.item, p.place, p.reason, p.hint, p.severity) for p in problems],
    )
