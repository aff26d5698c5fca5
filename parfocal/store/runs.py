"""Runs: begin, take up again, and end with tombstones that a shrunken source cannot cause."""

from __future__ import annotations

import sqlite3

from parfocal.store.upsert import now, write_problems
from parfocal.values import Batch, Counts, Problem, RunReport

_COLUMNS = (
    "source, id, state, started, finished, new, changed, unchanged, tombstoned,"
    " items, skipped, problems, warnings, requests, received, message"
)
# What the source no longer shows: raw items not seen, records that no raw item gives any more,
# except where a problem of this run hides whether they are still there.
_GONE = """
SELECT r.seq FROM records r LEFT JOIN raw ON raw.id = r.raw
WHERE r.source = :source AND r.body IS NOT NULL AND (r.raw IS NULL OR raw.seen <> :run)
ORDER BY r.seq"""
_HIDDEN = """
UPDATE raw SET seen = :run WHERE source = :source AND seen <> :run AND EXISTS (
  SELECT 1 FROM problems p WHERE p.source = :source AND p.run = :run AND p.raw IS NULL
  AND p.severity = 'error' AND (raw.key = p.item
    OR substr(raw.key, 1, length(p.item) + 1) IN (p.item || '/', p.item || '#')))"""


# A walk over changes only would never come back to what it could not read: keep the old mark then.
_MARK = """
UPDATE sources SET mark = (SELECT mark FROM runs WHERE id = :run), marked = :run
WHERE name = :source AND NOT EXISTS (SELECT 1 FROM problems p WHERE p.source = :source
  AND p.run = :run AND p.raw IS NULL AND p.severity = 'error')"""


def report_of(row: tuple[object, ...]) -> RunReport:
    """Make a report of a row of the columns that :func:`select` names."""
    source, run, state, started, finished, new, changed, unchanged, tombstoned, *rest = row
    counts = Counts(*(int(str(n)) for n in (new, changed, unchanged, tombstoned)))
    items, skipped, problems, warnings, requests, received = (int(str(n)) for n in rest[:6])
    return RunReport(
        source=str(source),
        run=int(str(run)),
        state=str(state),
        started=str(started),
        finished=str(finished),
        counts=counts,
        items=items,
        skipped=skipped,
        problems=problems,
        warnings=warnings,
        requests=requests,
        received=received,
        message=str(rest[6]),
    )


def select(db: sqlite3.Connection, source: str, limit: int) -> tuple[RunReport, ...]:
    """Return the last runs of a source, newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE source = ? ORDER BY id DESC LIMIT ?",  # noqa: S608
        (source, limit),
    )
    return tuple(report_of(row) for row in rows)


def begin(
    db: sqlite3.Connection, source: str, fingerprint: str, full: bool
) -> tuple[int, str | None]:
    """Start a run or take the interrupted one up again; runs within a transaction.

    Digests written since run ``sources.trusted`` count; an interrupted run keeps what it did
    itself.
    """
    db.execute("INSERT OR IGNORE INTO sources(name) VALUES (?)", (source,))
    last = db.execute(
        "SELECT id, state, cursor FROM runs WHERE source = ? ORDER BY id DESC LIMIT 1", (source,)
    ).fetchone()
    old = db.execute("SELECT fingerprint FROM sources WHERE name = ?", (source,)).fetchone()[0]
    same = old == fingerprint and not full
    if last and last[1] == "running" and same:
        return last[0], last[2] or None
    db.execute(
        "UPDATE runs SET state = 'interrupted' WHERE source = ? AND state = 'running'", (source,)
    )
    run = db.execute(
        "INSERT INTO runs(source, state, started) VALUES (?, 'running', ?)", (source, now())
    ).lastrowid
    if not same:
        db.execute(
            "UPDATE sources SET fingerprint = ?, trusted = ? WHERE name = ?",
            (fingerprint, run, source),
        )
    return int(run or 0), None


def add(db: sqlite3.Connection, run: int, counts: Counts, batch: Batch) -> None:
    """Add what a batch did to its run, and move the cursor."""
    skipped = len(batch.unchanged)
    db.execute(
        "UPDATE runs SET new = new + ?, changed = changed + ?, unchanged = unchanged + ?,"
        " items = items + ?, skipped = skipped + ?, requests = requests + ?,"
        " received = received + ?, cursor = ?, mark = iif(? = '', mark, ?) WHERE id = ?",
        (
            *(counts.new, counts.changed, counts.unchanged),
            *(len(batch.items) + skipped, skipped, batch.requests, batch.received),
            *(batch.cursor, batch.mark, batch.mark, run),
        ),
    )


def finish(
    db: sqlite3.Connection, source: str, run: int, complete: bool, allow_shrink: bool, message: str
) -> RunReport:
    """End a run; after a complete walk tombstone what is gone, if that is not suspiciously much."""
    names = {"source": source, "run": run}
    tombstoned = 0
    if complete:
        db.execute(_HIDDEN, names)
        db.execute(_MARK, names)
        gone = [row[0] for row in db.execute(_GONE, names)]
        live = _live(db, source)
        if gone and 2 * (live - len(gone)) < live and not allow_shrink:
            message = (
                f"the source shows {live - len(gone)} of {live} records; nothing was tombstoned."
                " If that is right, harvest again with --allow-shrink"
            )
            write_problems(db, source, run, [Problem(source, message)], None)
        else:
            tombstoned = _tombstone(db, gone)
            db.execute(
                "DELETE FROM raw WHERE source = :source AND seen <> :run AND NOT EXISTS"
                " (SELECT 1 FROM records r WHERE r.source = raw.source AND r.raw = raw.id"
                " AND r.body IS NOT NULL)",
                names,
            )
        db.execute(
            "DELETE FROM problems WHERE source = :source AND run <> :run"
            " AND (raw IS NULL OR raw NOT IN (SELECT id FROM raw))",
            names,
        )
    _close(db, source, run, "complete" if complete else "failed", tombstoned, message)
    return select(db, source, 1)[0]


def _live(db: sqlite3.Connection, source: str) -> int:
    row = db.execute(
        "SELECT count(*) FROM records WHERE source = ? AND body IS NOT NULL", (source,)
    ).fetchone()
    return int(row[0])


def _tombstone(db: sqlite3.Connection, gone: list[int]) -> int:
    revision = db.execute("SELECT coalesce(max(revision), 0) FROM records").fetchone()[0]
    db.executemany(
        "UPDATE records SET body = NULL, raw = NULL, revision = ? WHERE seq = ?",
        [(revision + number, seq) for number, seq in enumerate(gone, start=1)],
    )
    return len(gone)


def _close(
    db: sqlite3.Connection, source: str, run: int, state: str, tombstoned: int, message: str
) -> None:
    severities = dict(
        db.execute(
            "SELECT severity, count(*) FROM problems WHERE source = ? GROUP BY severity", (source,)
        )
    )
    db.execute(
        "UPDATE runs SET state = ?, finished = ?, tombstoned = ?, problems = ?, warnings = ?,"
        " message = ?, cursor = '' WHERE id = ?",
        (
            state,
            now(),
            tombstoned,
            severities.get("error", 0),
            severities.get("warning", 0),
            message,
            run,
        ),
    )
    db.execute("UPDATE sources SET records = ? WHERE name = ?", (_live(db, source), source))
