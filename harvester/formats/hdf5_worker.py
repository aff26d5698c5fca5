"""The process that reads HDF5 files for :mod:`harvester.formats.hdf5_process`.

It may be ended at any time. It gets no file: it asks
its parent for bytes, and answers with what it understood of them.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import OrderedDict

import msgspec

from harvester.formats.hdf5_tree import read_hdf5
from parfocal.errors import SourceMalformed

MEMORY = 2 * 1024 * 1024 * 1024
_BLOCK = 32 * 1024
_BLOCKS = 64
_FRAME = struct.Struct("<cQ")
_PLACE = struct.Struct("<QQ")


def send(connection: socket.socket, kind: bytes, content: bytes) -> None:
    """Send a message of a kind, one letter."""
    connection.sendall(_FRAME.pack(kind, len(content)) + content)


def receive(connection: socket.socket, most: int) -> tuple[bytes, bytes]:
    """Receive a message; EOFError when the other side is gone or says too much."""
    kind, length = _FRAME.unpack(_exactly(connection, _FRAME.size))
    if length > most:
        raise EOFError
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = connection.recv(min(length, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


class AskedContent:
    """A content that the parent holds, in blocks of which the last ones are kept."""

    def __init__(self, connection: socket.socket, length: int) -> None:
        self._connection = connection
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.length = length

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; fewer only at the end."""
        end = min(offset + length, self.length)
        parts = []
        while offset < end:
            number, start = divmod(offset, _BLOCK)
            part = self._block(number)[start : start + end - offset]
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        send(self._connection, b"R", _PLACE.pack(number * _BLOCK, _BLOCK))
        found = self._blocks[number] = receive(self._connection, _BLOCK)[1]
        if len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return found


def _answer(connection: socket.socket, length: int) -> None:
    try:
        document = read_hdf5(AskedContent(connection, length))
    except SourceMalformed as error:
        send(connection, b"E", error.message.encode())
    except MemoryError:
        send(connection, b"E", b"it takes too much memory to be read")
    except ModuleNotFoundError as error:
        send(connection, b"M", (error.name or "").encode())
    else:
        send(connection, b"D", msgspec.msgpack.encode(document))


def _bound_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # not on every system
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer the parent until it is gone."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    _bound_memory()
    try:
        while True:
            kind, content = receive(connection, 64)
            if kind == b"F":
                _answer(connection, struct.unpack("<Q", content)[0])
    except (EOFError, OSError):
        return


if __name__ == "__main__":
    main()
