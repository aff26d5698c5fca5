"""Source ``omero``: an OMERO server by the public interfaces of OMERO.web.

Projects, data sets, images, screens, plates and wells with all their annotations. Every object is
a raw item of its own, known as unchanged by a digest of what the server's lists and annotations say
of it; see ``docs/sources/omero.md`` for what that leaves unseen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime
from typing import ClassVar

import msgspec
from msgspec import Struct

from harvester.omero.annotations import Annotations
from harvester.omero.items import decode_item, read_cursor
from harvester.omero.options import OmeroOptions
from harvester.omero.records import read_item
from harvester.omero.scopes import Looker
from harvester.omero.server import Server
from harvester.omero.walk import OmeroWalk
from parfocal.errors import RecordInvalid, SourceMalformed
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Deleted, Mark, Problem, RawItem, Unchanged


class _Memory(Struct, frozen=True, omit_defaults=True):
    """What a walk leaves for the next: when all was asked for, how annotations were read.

    ``walked`` are the containers that may be skipped while they have these stamps.
    """

    complete: str = ""
    annotations: str = ""
    walked: dict[str, str] = {}


def _remembered(mark: str) -> _Memory:
    try:
        return msgspec.json.decode(mark, type=_Memory)
    except msgspec.DecodeError:
        return _Memory()


def _is_due(complete: str, days: int, today: date) -> bool:
    """Whether a walk must ask for everything again."""
    if not complete or not days:
        return False
    return (today - date.fromisoformat(complete)).days >= days


class Omero:
    """An OMERO server."""

    Options: ClassVar[type[OmeroOptions]] = OmeroOptions

    def __init__(self, name: str, options: OmeroOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(
        self, walk: Walk
    ) -> AsyncIterator[RawItem | Unchanged | Deleted | Mark | Problem]:
        """Yield every object that the user may see, containers before what lies in them."""
        memory = _remembered(walk.mark)
        today = datetime.now(UTC).date()
        due = _is_due(memory.complete, self.options.complete_every, today)
        server = Server(self.options, walk)
        async with server.http:
            await server.open()
            known = read_cursor(walk.cursor)[2] or memory.annotations
            annotations = Annotations(server, known)
            walked = memory.walked if self.options.first_look == "counts" else {}
            looker = Looker(server, annotations, walk, walked, everything=due)
            async for found in OmeroWalk(server, looker, walk.cursor).run():
                yield found
            for notice in server.notices:
                yield Problem(self.options.url, notice, severity="warning")
        complete = today.isoformat() if due or not memory.complete else memory.complete
        left = _Memory(complete, annotations.way or known, looker.walking)
        yield Mark(msgspec.json.encode(left).decode())

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the records of one object: one, or one for each field of a well."""
        try:
            yield from read_item(decode_item(item.content), self.name, self.options)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)
