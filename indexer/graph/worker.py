"""The process that runs SPARQL queries, ``python -m indexer.graph.worker``; it may be killed.

It reads one job after the other from standard input and answers on standard output, each as a
length and JSON, an answer followed by its bytes. It opens checkpoints read-only and holds a shared
lock on the folder that it reads, so that nobody removes it meanwhile.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import resource
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import pyoxigraph as ox

from indexer.graph.addresses import Publisher, to_internal
from indexer.graph.negotiation import GRAPHS, SOLUTIONS, Kind, media_type
from indexer.graph.sparql_guard import parse
from parfocal.errors import SparqlRefused

LENGTH = struct.Struct(">Q")
_DEEP = 50_000
_EXPECTED = re.compile(r"(?<![\w\\{])[A-Z]{2,}\b|(?<=\[')[^'](?='\])")
_NOT_ALLOWED = {"SERVICE", "LATERAL", "LOAD"}


class AnswerTooLarge(Exception):
    """The serialised answer passed its limit."""


class CheckpointGone(Exception):
    """The checkpoint was removed before it could be held."""


class CheckpointDamaged(Exception):
    """The checkpoint's files are not what the engine wrote."""


class _Bounded(io.RawIOBase):
    """Collects what is written, with the public address in it, up to a limit."""

    def __init__(self, limit: int, base: str) -> None:
        super().__init__()
        self._content = bytearray()
        self._limit = limit
        self._publisher = Publisher(base)

    def write(self, piece: Any) -> int:
        self._add(self._publisher.feed(bytes(piece)))
        return len(piece)

    def _add(self, piece: bytes) -> None:
        self._content += piece
        if len(self._content) > self._limit:
            raise AnswerTooLarge

    def whole(self) -> bytes:
        self._add(self._publisher.end())
        return bytes(self._content)


class _Reader:
    """Holds one checkpoint open, the last one asked for."""

    def __init__(self) -> None:
        self._path = ""
        self._lease: int | None = None
        self._store = ox.Store()

    def store(self, path: str) -> ox.Store:
        if path != self._path or self._is_replaced():
            self.release()
            self._store = self._open(path) if path else ox.Store()
            self._path = path
        return self._store

    def _is_replaced(self) -> bool:
        """Whether another folder lies there now: a graph built anew counts from 1 again."""
        if self._lease is None:
            return False
        try:
            return not os.path.samestat(Path(self._path).stat(), os.fstat(self._lease))
        except OSError:
            return True

    def _open(self, path: str) -> ox.Store:
        if path.endswith(".nq"):
            return self._loaded(path)
        try:
            self._lease = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lease, fcntl.LOCK_SH)
            if (Path(path) / "CURRENT").exists():
                return ox.Store.read_only(path)
        except OSError as error:
            self.release()
            raise CheckpointGone from error
        except RuntimeError as error:
            self.release()
            raise CheckpointDamaged(str(error)) from error
        self.release()
        raise CheckpointGone

    def _loaded(self, path: str) -> ox.Store:
        store = ox.Store()
        try:
            store.load(path=path, format=ox.RdfFormat.N_QUADS)
        except FileNotFoundError as error:
            raise CheckpointGone from error
        return store

    def release(self) -> None:
        self._path, self._store = "", ox.Store()
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None


def _limit_memory(megabytes: int) -> None:
    """Let this process grow by so much from what it has now, and no further."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _unlimit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _serialised(results: Any, job: dict[str, Any]) -> tuple[Kind, str, bytes]:
    output = _Bounded(job["max_bytes"], job["base"])
    target = cast("IO[bytes]", output)
    if isinstance(results, ox.QueryTriples):
        name = media_type(job["accept"], "graph")
        chosen = getattr(ox.RdfFormat, GRAPHS[name])
        ox.serialize(results, target, format=chosen, prefixes=job["prefixes"])
        return "graph", name, output.whole()
    kind: Kind = "boolean" if isinstance(results, ox.QueryBoolean) else "solutions"
    name = media_type(job["accept"], kind)
    results.serialize(target, getattr(ox.QueryResultsFormat, SOLUTIONS[name]))
    return kind, name, output.whole()


def _explained(error: SyntaxError) -> dict[str, Any]:
    """Return Oxigraph's own words on a syntax error: ``error at 2:9: expected ...``."""
    text = str(error.msg or error)
    head, _, message = text.partition(": ")
    line, _, column = head.removeprefix("error at ").partition(":")
    where = f"line {line}, column {column}" if column.isdigit() else ""
    if "Prefix not found" in text:
        hint = "write PREFIX name: <address> before the query"
        return _refusal("a prefix is used that is not declared", where, hint)
    expected = [one for one in _EXPECTED.findall(message) if one not in _NOT_ALLOWED]
    told = f"expected {' or '.join(expected[:8])}" if expected else "something else is expected"
    return _refusal(f"not a SPARQL query: {told} here", where)


def _refusal(message: str, where: str = "", hint: str = "") -> dict[str, Any]:
    return {"error": "refused", "message": message[:1000], "where": where, "hint": hint}


def _check(job: dict[str, Any]) -> dict[str, Any] | None:
    """Parse twice; only what both rdflib and Oxigraph take for a query may run."""
    refused = None
    try:
        job["union"] = not parse(job["query"])
    except SparqlRefused as error:
        refused = _refusal(error.message, error.where, error.hint)
        if error.__cause__ is None:
            return refused  # the syntax is right, but it may not run
    try:
        ox.Store().query(job["query"], prefixes=job["prefixes"])
    except SyntaxError as error:
        return _explained(error)
    return refused


def _run(job: dict[str, Any], reader: _Reader) -> tuple[dict[str, Any], bytes]:
    asked, job = job, {**job, "query": to_internal(job["query"], job["base"])}
    wrong = _check(job)
    if wrong:
        return _check(asked) or wrong, b""  # places are those of the query as it was written
    try:
        store = reader.store(job["path"])
        _limit_memory(job["memory_mb"])
        results = store.query(
            job["query"], prefixes=job["prefixes"], use_default_graph_as_union=job["union"]
        )
        kind, name, content = _serialised(results, job)
    except CheckpointGone:
        return {"error": "gone"}, b""
    except AnswerTooLarge:
        return {"error": "large"}, b""
    except MemoryError:
        return {"error": "memory"}, b""
    except (CheckpointDamaged, ValueError, RuntimeError, OSError) as error:
        return _failed(error, reader), b""
    return {"kind": kind, "media_type": name}, content


def _failed(error: Exception, reader: _Reader) -> dict[str, Any]:
    """Tell a damaged graph from a query that cannot be answered."""
    message = str(error)[:500]
    damaged = isinstance(error, (CheckpointDamaged, OSError)) or message.startswith("Corruption")
    if damaged:
        reader.release()
    return {"error": "damaged" if damaged else "failed", "message": message}


def _watch(parent: int, deadline: list[float]) -> None:
    """End this process when its parent is gone, or a query outlives its deadline by far."""
    while True:
        time.sleep(0.5)
        if os.getppid() != parent or time.monotonic() > deadline[0] + 5:
            os._exit(3)


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return stream.read(LENGTH.unpack(head)[0])


def write(stream: IO[bytes], *pieces: bytes) -> None:
    """Write pieces, each with its length before it."""
    for piece in pieces:
        stream.write(LENGTH.pack(len(piece)))
        stream.write(piece)
    stream.flush()


def main() -> None:
    """Answer jobs until standard input ends."""
    sys.setrecursionlimit(_DEEP)
    deadline = [float("inf")]
    threading.Thread(target=_watch, args=(os.getppid(), deadline), daemon=True).start()
    reader = _Reader()
    parse("ASK {}")  # loads the parser before the first query's time begins
    with suppress(BrokenPipeError):
        write(sys.stdout.buffer, b"ready")
        while (message := _read(sys.stdin.buffer)) is not None:
            job = json.loads(message)
            deadline[0] = time.monotonic() + job["timeout"]
            head, content = _run(job, reader)
            deadline[0] = float("inf")
            _unlimit_memory()
            write(sys.stdout.buffer, json.dumps(head).encode(), content)


if __name__ == "__main__":
    main()
