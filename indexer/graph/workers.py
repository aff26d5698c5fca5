"""The few processes that run SPARQL queries: kept warm, killed when a query takes too long."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any

from indexer.graph.worker import LENGTH, write
from parfocal.errors import IndexUnavailable, SparqlTimeout

WORKERS = 2
_START_SECONDS = 60.0
_PIECE = 1 << 20


class WorkerDied(Exception):
    """The process ended in the middle of a query: out of memory, as a rule."""


class TookTooLong(Exception):
    """The deadline passed."""


class Worker:
    """One process. ``ask`` sends a job and waits for its answer until a deadline."""

    def __init__(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "indexer.graph.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if process.stdin is None or process.stdout is None:
            raise IndexUnavailable("the SPARQL worker process has no pipes")
        self._process = process
        self._input, self._output = process.stdin, process.stdout.fileno()
        self._finalizer = weakref.finalize(self, _end, process)
        try:
            self._receive(time.monotonic() + _START_SECONDS)
        except (WorkerDied, TookTooLong) as error:
            self.kill()
            raise IndexUnavailable("the SPARQL worker process does not start") from error

    def ask(self, job: Mapping[str, Any], deadline: float) -> tuple[dict[str, Any], bytes]:
        """Return the answer's head and bytes, or raise WorkerDied or TookTooLong."""
        try:
            write(self._input, json.dumps(job).encode())
        except OSError as error:
            raise WorkerDied from error
        head = json.loads(self._receive(deadline))
        return head, self._receive(deadline)

    def _receive(self, deadline: float) -> bytes:
        size = LENGTH.unpack(self._read(LENGTH.size, deadline))[0]
        return self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        pipe = self._output
        content = bytearray()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while len(content) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TookTooLong
            piece = os.read(pipe, min(_PIECE, size - len(content)))
            if not piece:
                raise WorkerDied
            content += piece
        return bytes(content)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._finalizer()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue  # unsent bytes of a job that nobody will read
    process.wait()


class Workers:
    """Lends out workers, at most so many at a time; a slot without a process starts one."""

    def __init__(self, count: int = WORKERS) -> None:
        self._slots: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        self._alive: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._lock = threading.Lock()
        for _ in range(count):
            self._slots.put(None)

    def run(self, job: dict[str, Any], timeout: float) -> tuple[dict[str, Any], bytes]:
        """Run a job; SparqlTimeout when no worker is free, or it takes too long or too much."""
        begun = time.monotonic()
        try:
            worker = self._slots.get(timeout=timeout)
        except queue.Empty:
            raise SparqlTimeout(
                f"no worker became free within {timeout:g} s", hint="try again later"
            ) from None
        left = timeout - (time.monotonic() - begun)
        kept: Worker | None = None
        try:
            if worker is None or not worker.alive:
                worker = self._start()
            answer = worker.ask({**job, "timeout": left}, time.monotonic() + left)
            kept = worker
        except TookTooLong as error:
            raise SparqlTimeout(
                f"stopped after {timeout:g} s", hint="ask for less: add LIMIT or narrow the pattern"
            ) from error
        except WorkerDied as error:
            raise SparqlTimeout(
                f"stopped: it needed more than {job['memory_mb']} MiB of memory",
                hint="ask for less: add LIMIT, narrow the pattern, leave out ORDER BY or DISTINCT",
            ) from error
        finally:
            if kept is None and worker is not None:
                worker.kill()
            self._slots.put(kept)
        return answer

    def _start(self) -> Worker:
        worker = Worker()
        with self._lock:
            self._alive.add(worker)
        return worker

    def close(self) -> None:
        """End all processes; a later query starts them anew."""
        with self._lock:
            alive = list(self._alive)
            self._alive.clear()
        for worker in alive:
            worker.kill()
