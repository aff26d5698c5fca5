"""Runs: begin, take up again, and end with tombstones that a shrunken source cannot cause."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from parfocal.store import seen
from parfocal.store.upsert import now, write_problems
from parfocal.values import LIMITED, REBUILDS, Batch, Counts, Problem, RunReport

_COLUMNS = (
    "source, id, state, started, finished, new, changed, unchanged, tombstoned,"
    " items, skipped, problems, warnings, requests, received, refused, seconds, scope, message"
)
# What the source no longer shows: raw items not seen, records that no raw item gives any more,
# except where a problem of this run hides whether they are still there.
_GONE = """
FROM records r LEFT JOIN raw ON raw.id = r.raw
WHERE r.source = :source AND r.body IS NOT NULL AND (r.raw IS NULL OR raw.seen <> :run)"""
# What normalising anew no longer gives; nobody asked whether the archive still shows the rest.
_DROPPED = """
FROM records r WHERE r.source = :source AND r.body IS NOT NULL AND r.raw IS NULL"""
_TOMBSTONES_AT_ONCE = 10_000
_RUNS_KEPT = 1000
_Names = dict[str, str | int]

# A walk over changes only would never come back to what it could not read: keep the old mark then.
# A walk that was asked for less than everything since the old mark leaves a gap behind it.
_MARK = """
UPDATE sources SET mark = (SELECT mark FROM runs WHERE id = :run), marked = :run
WHERE name = :source AND (SELECT scope FROM runs WHERE id = :run) = ''
  AND NOT EXISTS (SELECT 1 FROM problems p WHERE p.source = :source
  AND p.run = :run AND p.raw IS NULL AND p.severity = 'error')"""


def report_of(row: tuple[object, ...]) -> RunReport:
    """Make a report of a row of the columns that :func:`select` names."""
    source, run, state, started, finished, *numbers = row
    *counted, seconds, scope, message = numbers
    new, changed, unchanged, tombstoned, *rest = (int(str(n)) for n in counted)
    items, skipped, problems, warnings, requests, received, refused = rest
    return RunReport(
        source=str(source),
        run=int(str(run)),
        state=str(state),
        started=str(started),
        finished=str(finished),
        counts=Counts(new, changed, unchanged, tombstoned),
        items=items,
        skipped=skipped,
        problems=problems,
        warnings=warnings,
        requests=requests,
        received=received,
        refused=refused,
        seconds=round(float(str(seconds)), 3),
        scope=str(scope),
        message=str(message),
    )


def select(
    db: sqlite3.Connection, source: str, limit: int, *, walks_only: bool = False
) -> tuple[RunReport, ...]:
    """Return the last runs of a source, newest first; ``walks_only`` leaves out rebuilds."""
    names = ", ".join(f"'{name}'" for name in REBUILDS) if walks_only else "''"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM runs WHERE source = ? AND (scope = '' OR scope NOT IN ({names}))"  # noqa: S608
        " ORDER BY id DESC LIMIT ?",
        (source, limit),
    )
    return tuple(report_of(row) for row in rows)


def _report(db: sqlite3.Connection, run: int) -> RunReport:
    """Return one run; one that was taken up again is not always its source's last."""
    row = db.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run,)).fetchone()  # noqa: S608
    return report_of(row)


def begin(
    db: sqlite3.Connection, source: str, fingerprint: str, full: bool, scope: str
) -> tuple[int, str | None]:
    """Start a run or take the interrupted one up again; runs within a transaction.

    Digests written since run ``sources.trusted`` count; an interrupted run keeps what it did
    itself. A run of another scope has another walk: its cursor leads nowhere in this one.
    """
    db.execute("INSERT OR IGNORE INTO sources(name) VALUES (?)", (source,))
    old = db.execute("SELECT fingerprint FROM sources WHERE name = ?", (source,)).fetchone()[0]
    same = old == fingerprint and not full
    last = _interrupted(db, source, scope) if same else None
    if last:
        return last[0], last[1] or None
    db.execute(
        "UPDATE runs SET state = 'interrupted' WHERE source = ? AND state = 'running'"
        " AND scope NOT IN (?, ?)",
        (source, *REBUILDS),
    )
    run = insert(db, source, scope)
    if not same:
        db.execute(
            "UPDATE sources SET fingerprint = ?, trusted = ? WHERE name = ?",
            (fingerprint, run, source),
        )
    return run, None


def insert(db: sqlite3.Connection, source: str, scope: str, mark: str = "") -> int:
    """Write a new run down and return its number."""
    done = db.execute(
        "INSERT INTO runs(source, state, started, scope, mark) VALUES (?, 'running', ?, ?, ?)",
        (source, now(), scope, mark),
    )
    return int(done.lastrowid or 0)


def _interrupted(db: sqlite3.Connection, source: str, scope: str) -> tuple[int, str] | None:
    """Return number and cursor of a run that was killed and that this scope takes up again."""
    if scope == LIMITED:
        return None
    row: tuple[int, str] | None = db.execute(
        "SELECT id, cursor FROM runs WHERE source = ? AND state = 'running' AND scope = ?"
        " ORDER BY id DESC LIMIT 1",
        (source, scope),
    ).fetchone()
    return row


def add(db: sqlite3.Connection, run: int, counts: Counts, batch: Batch) -> None:
    """Add what a batch did to its run, and move the cursor."""
    skipped = len(batch.unchanged)
    db.execute(
        "UPDATE runs SET new = new + ?, changed = changed + ?, unchanged = unchanged + ?,"
        " items = items + ?, skipped = skipped + ?, requests = requests + ?,"
        " received = received + ?, seconds = seconds + ?, cursor = ?,"
        " mark = iif(? = '', mark, ?) WHERE id = ?",
        (
            *(counts.new, counts.changed, counts.unchanged),
            *(len(batch.items) + skipped, skipped, batch.requests, batch.received),
            *(batch.seconds, batch.cursor, batch.mark, batch.mark, run),
        ),
    )


def finish(
    db: sqlite3.Connection, source: str, run: int, complete: bool, allow_shrink: bool, message: str
) -> RunReport:
    """End a run; after a complete walk tombstone what is gone, if that is not suspiciously much."""
    state, tombstoned = "failed", 0
    names: _Names = {"source": source, "run": run}
    scope = db.execute("SELECT scope FROM runs WHERE id = ?", (run,)).fetchone()[0]
    if complete and scope == LIMITED:
        state = "limited"
    elif complete:
        state = "complete"
        seen.see_hidden(db, source, run)
        db.execute(_MARK, names)
        tombstoned, refusal = _sweep(db, names, _GONE, allow_shrink)
        message = refusal or message
        if not refusal:
            _forget_items(db, names)
        db.execute(
            "DELETE FROM problems WHERE source = :source AND run <> :run"
            " AND (raw IS NULL OR raw NOT IN (SELECT id FROM raw))",
            names,
        )
    _forget_older(db, names)
    _close(db, source, run, state, tombstoned, message)
    return _report(db, run)


def _forget_older(db: sqlite3.Connection, names: _Names) -> None:
    """Forget what earlier walks that came to no good end complained of, and very old runs."""
    db.execute(
        "DELETE FROM problems WHERE source = :source AND raw IS NULL AND run IN"
        " (SELECT id FROM runs WHERE source = :source AND id <> :run AND state <> 'complete')",
        names,
    )
    db.execute(
        "DELETE FROM runs WHERE source = :source AND id <= (SELECT id FROM runs"
        " WHERE source = :source ORDER BY id DESC LIMIT 1 OFFSET :kept)",
        {**names, "kept": _RUNS_KEPT},
    )


def finish_rebuild(
    db: sqlite3.Connection, source: str, run: int, allow_shrink: bool, message: str
) -> RunReport:
    """End a run over kept raw items; tombstone what they no longer give, within the same bounds."""
    names: _Names = {"source": source, "run": run}
    tombstoned, refusal = _sweep(db, names, _DROPPED, allow_shrink)
    _close(db, source, run, "complete", tombstoned, refusal or message)
    return _report(db, run)


def _sweep(
    db: sqlite3.Connection, names: _Names, which: str, allow_shrink: bool
) -> tuple[int, str]:
    """Tombstone what a clause finds; return how many, or why it was refused."""
    gone = int(db.execute(f"SELECT count(*) {which}", names).fetchone()[0])
    live = _live(db, str(names["source"]))
    if gone and 2 * (live - gone) < live and not allow_shrink:
        message = (
            f"the source shows {live - gone:,} of {live:,} records; nothing was tombstoned."
            " If that is right, harvest again with --allow-shrink"
        )
        db.execute("UPDATE runs SET refused = ? WHERE id = ?", (gone, names["run"]))
        problem = Problem(str(names["source"]), message)
        write_problems(db, problem.item, int(names["run"]), [problem], None)
        return 0, message
    for seqs in _pages(db, names, which):
        _tombstone(db, seqs)
    return gone, ""


def _pages(db: sqlite3.Connection, names: _Names, which: str) -> Iterator[list[int]]:
    """Yield the seqs that a clause finds; a page may be written before the next one."""
    after = 0
    while found := db.execute(
        f"SELECT r.seq {which} AND r.seq > :after ORDER BY r.seq LIMIT :limit",
        {**names, "after": after, "limit": _TOMBSTONES_AT_ONCE},
    ).fetchall():
        yield [row[0] for row in found]
        after = found[-1][0]


def _forget_items(db: sqlite3.Connection, names: _Names) -> None:
    db.execute(
        "DELETE FROM raw WHERE source = :source AND seen <> :run AND NOT EXISTS"
        " (SELECT 1 FROM records r WHERE r.source = raw.source AND r.raw = raw.id"
        " AND r.body IS NOT NULL)",
        names,
    )


def _live(db: sqlite3.Connection, source: str) -> int:
    row = db.execute(
        "SELECT count(*) FROM records WHERE source = ? AND body IS NOT NULL", (source,)
    ).fetchone()
    return int(row[0])


def _tombstone(db: sqlite3.Connection, gone: list[int]) -> None:
    revision = db.execute("SELECT coalesce(max(revision), 0) FROM records").fetchone()[0]
    db.executemany(
        "UPDATE records SET body = NULL, raw = NULL, revision = ? WHERE seq = ?",
        [(revision + number, seq) for number, seq in enumerate(gone, start=1)],
    )


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
