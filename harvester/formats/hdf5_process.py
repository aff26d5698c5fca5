"""Reads HDF5 files in a process of its own, as damaged ones crash or hang the HDF5 library."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time

import msgspec

from harvester.formats.hdf5_tree import MAGIC, Hdf5Document
from harvester.formats.hdf5_worker import receive, send
from harvester.formats.tiff import Content
from parfocal.errors import SourceMalformed
from parfocal.registry import missing_extra

MAX_SECONDS = 20.0
_MAX_ANSWER = 16 * 1024 * 1024
_HINT = "the file is damaged; copy it again"


class Hdf5Reader:
    """Reads HDF5 files one by one; its process is started by the first of them."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def read(self, content: Content) -> Hdf5Document:
        """Read an open HDF5 file; SourceMalformed when it is none, or crashes or hangs the library.

        Raises PluginMissing without the extra ``hdf5``.
        """
        if content.at(0, 4) != MAGIC[:4] and content.length < 1024:
            raise SourceMalformed("not an HDF5 file")
        with self._lock:
            connection = self._connected()
            try:
                kind, answer = self._converse(connection, content)
            except TimeoutError as error:
                self._end()
                reason = f"it takes longer than {self._seconds:g} seconds to be read"
                raise SourceMalformed(reason, hint=_HINT) from error
            except (OSError, EOFError) as error:
                self._end()
                raise SourceMalformed("it crashes the HDF5 library", hint=_HINT) from error
        if kind == b"M":
            raise missing_extra(ModuleNotFoundError(name=answer.decode()), "reading HDF5 files")
        if kind != b"D":
            raise SourceMalformed(answer.decode("utf-8", "replace"))
        return msgspec.msgpack.decode(answer, type=Hdf5Document)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _connected(self) -> socket.socket:
        if self._connection is None:
            here, there = socket.socketpair()
            command = [
                sys.executable,
                "-P",
                "-m",
                "harvester.formats.hdf5_worker",
                str(there.fileno()),
            ]
            self._process = subprocess.Popen(  # noqa: S603  our own module
                command, pass_fds=(there.fileno(),), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            there.close()
            self._connection = here
        return self._connection

    def _converse(self, connection: socket.socket, content: Content) -> tuple[bytes, bytes]:
        """Hand out the bytes that the process asks for until it answers."""
        end = time.monotonic() + self._seconds
        connection.settimeout(self._seconds)
        send(connection, b"F", struct.pack("<Q", content.length))
        while True:
            kind, asked = receive(connection, _MAX_ANSWER)
            if kind != b"R":
                return kind, asked
            offset, length = struct.unpack("<QQ", asked)
            connection.settimeout(max(0.01, end - time.monotonic()))
            send(connection, b"A", content.at(offset, min(length, 2**20)))

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._connection = self._process = None
