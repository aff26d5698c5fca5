"""The lists that a walk over an OMERO server goes through, and looking at their pages."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct, field

from harvester.asking.ahead import gathered
from harvester.asking.answers import Answer, Garbled
from harvester.omero.annotations import Annotations, Notes
from harvester.omero.items import Held, IdSet, Kind, Part, encode_item
from harvester.omero.runs import plate_runs
from harvester.omero.server import (
    Head,
    Page,
    Server,
    people_by_id,
    read_head,
    with_query,
)
from harvester.words.leaves import child, objects
from parfocal.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.values import Problem, RawItem, Unchanged

Fetched = RawItem | Unchanged | Problem
UNREAD = -1
"""Stands for the id of an object that cannot be read."""


class Scope(Struct, frozen=True):
    """One list of objects: all of a kind, or the children of one container.

    ``key`` is what the raw keys of its objects begin with; ``count`` how many there should be, -1
    when that is not known; ``plate`` the name of the plate whose wells they are.
    """

    phase: int
    id: int
    kind: Kind
    url: str
    key: str
    count: int = -1
    params: tuple[tuple[str, str], ...] = ()
    plate: str = ""


class Found(Struct, frozen=True):
    """One object of a page, and the images that it is or holds."""

    id: int
    items: tuple[Fetched, ...]
    images: tuple[int, ...] = ()


class Looked(Struct, frozen=True):
    """A page that was looked at; ``ids`` are all objects on it, ``found`` those that are new.

    ``rows`` counts also those that cannot be read.
    """

    scope: Scope
    offset: int
    rows: int = 0
    ids: tuple[int, ...] = ()
    total: int = 0
    found: tuple[Found, ...] = ()
    problem: Problem | None = None


class _Sample(Struct, frozen=True):
    image: Head | None = field(name="Image", default=None)


class _Well(Struct, frozen=True):
    samples: list[_Sample] = field(name="WellSamples", default=[])


_wells: msgspec.json.Decoder[_Well] = msgspec.json.Decoder(_Well)


class _Listed(Struct, frozen=True):
    """An object of a page, not yet an item."""

    id: int
    name: str
    held: Held
    group: int
    count: int


class Looker:
    """Looks at pages: asks for annotations of all objects, and for details of changed ones."""

    def __init__(
        self,
        server: Server,
        annotations: Annotations,
        walk: Walk,
        walked: Mapping[str, str],
        *,
        everything: bool,
    ) -> None:
        """Make one; ``everything`` asks for details also of what seems unchanged.

        ``walked`` are the containers whose children the last complete walk went through, with their
        stamps then; ``walking`` those of this walk. ``over`` are the lists whose end was seen, or
        that cannot be read on.
        """
        self._server = server
        self.annotations = annotations
        self._walk = walk
        self._everything = everything
        self._options = server.options
        self._rois: dict[int, int] = {}
        self._counting = asyncio.Lock()
        self.parents: dict[str, tuple[str, ...]] = {}
        self.skipped: set[str] = set()
        self._walked = walked
        self.walking: dict[str, str] = {}
        self.over: set[tuple[int, int]] = set()
        self._new: set[str] = set()

    async def look(self, scope: Scope, offset: int, known: IdSet | None = None) -> Looked:
        """Look at a page; what cannot be read of it becomes a problem over its scope.

        Objects in ``known`` are not looked at again. Raises SourceUnavailable when the server does
        not answer at all, SourceRefused when it refuses.
        """
        try:
            page = await self._page(scope, offset)
            listed, problems = self._listed(scope, page)
            ids, rows = tuple(one.id for one in listed), len(page.data)
            if offset + rows >= page.meta.total or not rows:
                self.over.add((scope.phase, scope.id))
            fresh = listed[1:] if offset else listed
            new = [one for one in fresh if known is None or one.id not in known]
            found = await self._found(scope, new)
            return Looked(scope, offset, rows, ids, page.meta.total, (*problems, *found))
        except SourceRefused as error:
            if scope.phase <= 4 or "answered 404" not in error.message:
                raise
            return self._unread(scope, offset, error)
        except SourceMalformed as error:
            return self._unread(scope, offset, error)
        except SourceUnavailable as error:
            if not await self._server.is_alive():
                raise
            return self._unread(scope, offset, error)

    def _unread(self, scope: Scope, offset: int, error: SourceError) -> Looked:
        """Return a page that cannot be read; no further pages of its list are begun."""
        self.over.add((scope.phase, scope.id))
        return Looked(scope, offset, problem=_problem(scope, error))

    async def _page(self, scope: Scope, offset: int) -> Page:
        params = [
            *scope.params,
            ("normalize", "true"),
            ("offset", str(offset)),
            ("limit", str(self._server.largest)),
        ]
        return await self._server.page(scope.url, params)

    def _listed(self, scope: Scope, page: Page) -> tuple[list[_Listed], list[Found]]:
        """Return the objects of a page, and a problem for each that cannot be read."""
        owners, groups = people_by_id(page.experimenters), people_by_id(page.groups)
        listed: list[_Listed] = []
        problems: list[Found] = []
        for body in page.data:
            try:
                listed.append(self._one(scope, body, owners, groups))
            except SourceMalformed as error:
                problems.append(Found(UNREAD, (Problem(scope.key, error.message),)))
        return listed, problems

    def _one(
        self, scope: Scope, body: Raw, owners: Mapping[int, bytes], groups: Mapping[int, bytes]
    ) -> _Listed:
        head = read_head(body)
        user = self._server.user
        parents = (scope.key,) if scope.phase > 4 else ()
        held = Held(
            scope.kind,
            self._server.web,
            user.name if user else "",
            bytes(body),
            owners.get(head.details.owner.id, b""),
            groups.get(head.details.group.id, b""),
            parents=self.parents.get(f"{scope.kind}/{head.id}", parents),
            plate=scope.plate,
            parts=_parts(scope.kind, head.id, body),
        )
        return _Listed(head.id, head.name or "", held, head.details.group.id, head.children)

    # -------------------------------------------------------------- objects to items

    async def _found(self, scope: Scope, listed: Sequence[_Listed]) -> tuple[Found, ...]:
        noted = await self._noted(scope.kind, listed)
        found: list[Found | None] = []
        waiting: list[tuple[int, _Listed, str]] = []
        for one in noted:
            key = self._key(scope, one.id)
            plain = encode_item(one.held)
            stamp = _digest(plain) + (f":{one.count}" if one.count >= 0 else "")
            if one.count >= 0 and self._options.first_look == "counts":
                self.walking[key] = stamp
            if self._is_same(scope, key, stamp):
                found.append(self._unchanged(scope, one, key, stamp))
            elif self._needs_more(one.held):
                waiting.append((len(found), one, stamp))
                found.append(None)
            else:
                item = RawItem(key, plain, stamp=stamp)
                found.append(Found(one.id, (item,), _images(one.held)))
        more = await gathered(self._more(scope, one, stamp) for _, one, stamp in waiting)
        for (place, _, _), whole in zip(waiting, more, strict=True):
            found[place] = whole
        return tuple(one for one in found if one is not None)

    def _is_same(self, scope: Scope, key: str, stamp: str) -> bool:
        """Whether an object is as it was; what lies in a new container is not looked up."""
        if scope.key in self._new:
            return False
        known = self._walk.stamp(key)
        if not known and scope.kind in ("dataset", "plate"):
            self._new.add(key)
        return known == stamp and not self._everything

    def is_known(self, scope: Scope, id: int) -> bool:
        """Whether an object was harvested at this place before."""
        return bool(self._walk.stamp(self._key(scope, id)))

    def _key(self, scope: Scope, id: int) -> str:
        return f"{scope.key}/{id}" if scope.phase <= 4 else f"{scope.key}/{scope.kind}/{id}"

    def _unchanged(self, scope: Scope, one: _Listed, key: str, stamp: str) -> Found:
        """Tell that an object is as it was, and all below when its children need no look.

        What is below was walked under the same stamp, and without errors: only then a mark is left.
        """
        whole = scope.kind in ("dataset", "plate") and self._walked.get(key) == stamp
        if whole:
            self.skipped.add(key)
        return Found(one.id, (Unchanged(key, below=whole),), _images(one.held))

    def _needs_more(self, held: Held) -> bool:
        wants = self._options.details == "channels" or self._options.roi_counts
        if held.kind == "well":
            return (wants and bool(held.parts)) or self._options.details == "sizes"
        return held.kind == "image" and wants

    async def _more(self, scope: Scope, one: _Listed, stamp: str) -> Found:
        """Ask for what the list does not say of an image, or of a well's images.

        An object that cannot be read whole stays as it was.
        """
        key = self._key(scope, one.id)
        try:
            parts = await self._whole_parts(one)
            detail = b""
            if one.held.kind == "well" and self._options.details == "sizes":
                detail = await self._alone("wells", one.id)
        except SourceMalformed as error:
            return Found(one.id, (Problem(key, error.message, error.where, error.hint),))
        except SourceUnavailable as error:
            if not await self._server.is_alive():
                raise
            return Found(one.id, (Problem(key, error.message, error.where, error.hint),))
        held = msgspec.structs.replace(one.held, parts=tuple(parts), detail=detail)
        return Found(one.id, (RawItem(key, encode_item(held), stamp=stamp),), _images(held))

    async def _whole_parts(self, one: _Listed) -> list[Part]:
        parts = one.held.parts
        if len(parts) == 1:
            return [await self._part(parts[0], one.group)]
        return await gathered(self._part(part, one.group) for part in parts)

    async def _part(self, part: Part, group: int) -> Part:
        wanted = self._options.details == "channels"
        detail = await self._alone("images", part.id) if wanted else b""
        rois = await self._roi_count(part.id, group) if self._options.roi_counts else -1
        return msgspec.structs.replace(part, detail=detail, rois=rois)

    async def _alone(self, name: str, id: int) -> bytes:
        """Return the answer about one object; an image without pixels is listed, but not found."""
        url = self._server.address(name, id)
        answer = await self._server.http.get(url, expect=(200, 404), check=_is_object)
        return answer.content if answer.status == 200 else b""

    async def _roi_count(self, image: int, group: int) -> int:
        """Count an image's regions of interest; not asked where its whole group has none."""
        async with self._counting:
            if group not in self._rois:
                url = with_query(self._server.address("rois"), {"group": group})
                self._rois[group] = await self._server.count(url) if group >= 0 else 1
        if not self._rois[group]:
            return 0
        return await self._server.count(f"{self._server.address('rois')}?image={image}")

    # -------------------------------------------------------------- annotations, runs

    async def _noted(self, kind: Kind, listed: Sequence[_Listed]) -> list[_Listed]:
        """Return objects with their annotations; plates also with their runs."""
        if not listed:
            return []
        notes = await self.annotations.of(kind, [one.id for one in listed])
        if kind == "well":
            images = [part.id for one in listed for part in one.held.parts]
            inside = await self.annotations.of("image", images)
            return [_with_notes(one, notes, inside) for one in listed]
        noted = [_with_notes(one, notes, {}) for one in listed]
        if kind == "plate":
            return await gathered(self._with_runs(one) for one in noted)
        return noted

    async def _with_runs(self, one: _Listed) -> _Listed:
        """Add a plate's runs with their annotations, and its number of wells when that counts."""
        count = -1
        if self._options.first_look == "counts":
            count = await self._server.count(self._server.address("plates", one.id, "wells"))
        runs = await plate_runs(self._server, one.id)
        ids = [read_head(run).id for run in runs]
        notes = await self.annotations.of("acquisition", ids)
        inside = tuple(note for id in ids for note in notes.get(id, ()))
        held = msgspec.structs.replace(
            one.held, runs=tuple(bytes(run) for run in runs), notes=one.held.notes + inside
        )
        return msgspec.structs.replace(one, held=held, count=count)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _images(held: Held) -> tuple[int, ...]:
    return tuple(part.id for part in held.parts)


def _parts(kind: Kind, id: int, body: Raw) -> tuple[Part, ...]:
    if kind == "image":
        return (Part(id),)
    if kind != "well":
        return ()
    try:
        images = [sample.image for sample in _wells.decode(body).samples]
        return tuple(Part(image.id) for image in images if image is not None)
    except msgspec.DecodeError:
        samples = objects(child(msgspec.json.decode(body), "WellSamples"))
    ids = [child(sample, "Image", "@id") for sample in samples]
    return tuple(Part(id) for id in ids if isinstance(id, int))


def _with_notes(one: _Listed, notes: Notes, inside: Notes) -> _Listed:
    own = notes.get(one.id, ())
    parts = one.held.parts
    if inside:
        parts = tuple(
            msgspec.structs.replace(part, notes=inside.get(part.id, ())) for part in parts
        )
    if not own and not inside:
        return one
    held = msgspec.structs.replace(one.held, notes=own, parts=parts)
    return msgspec.structs.replace(one, held=held)


def _problem(scope: Scope, error: SourceError) -> Problem:
    return Problem(scope.key, f"a page of {scope.kind}s: {error.message}", error.where, error.hint)


def _is_object(answer: Answer) -> None:
    if answer.status == 200 and answer.media_type != "application/json":
        answer.json()
    if answer.status == 200 and answer.content.lstrip()[:1] not in (b"{", b"["):
        raise Garbled("not an object", where=answer.url)
