"""Reading one study of BioStudies: when it changed, its PageTab, its file lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import quote, urljoin

import msgspec
from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.asking.setbacks import Setbacks
from harvester.biostudies.items import (
    EndItem,
    FilesItem,
    ListFacts,
    PartItem,
    StudyItem,
    end_key,
    part_key,
    raw,
    study_key,
)
from harvester.biostudies.options import BioStudiesOptions
from harvester.biostudies.pagetab import read_submission, text_of
from harvester.biostudies.pagetab_files import read_list, stores_once
from harvester.biostudies.rembi import described_in, parts_of
from harvester.biostudies.search import Hit, site_of
from parfocal.errors import SourceError, SourceMalformed, SourceRefused
from parfocal.interfaces import Walk
from parfocal.values import Fetched, Problem, RawItem, Unchanged

ENTRIES = 500
MAX_SUFFIXES = 40
_IN_MEMORY = 2 * 1024 * 1024
_CHUNK = 256 * 1024


class ReadPart(Struct):
    """A data set, and its file list, if it has one: the entries lie aside on disk, one a line."""

    item: PartItem
    lines: IO[bytes] | None = None

    def fetched(self) -> Iterator[RawItem]:
        """Yield the data set and its files in runs."""
        item, number = self.item, 0
        key = part_key(item.accession, item.part)
        if item.part:
            yield raw(key, item)
        if self.lines is None or item.facts is None:
            return
        self.lines.seek(0)
        while lines := list(islice(self.lines, ENTRIES)):
            entries = b"[" + b",".join(line.rstrip(b"\n") for line in lines) + b"]"
            files = FilesItem(
                item.site, item.accession, item.part, item.facts.name, entries, item.public
            )
            yield raw(f"{key}#{number:06d}", files)
            number += 1


class Bundle(Struct):
    """All that a walk yields of one study."""

    hit: Hit
    unchanged: bool = False
    study: StudyItem | None = None
    stamp: str = ""
    parts: list[ReadPart] = []
    problems: list[Problem] = []

    def fetched(self) -> Iterator[Fetched]:
        """Yield the study, its data sets, and last what says that it was read whole."""
        key, cursor = study_key(self.hit.accession), self.hit.cursor
        if self.unchanged:
            yield Unchanged(key, cursor, below=True)
            return
        yield from self.problems
        if self.study is None:
            return
        whole = not any(problem.severity == "error" for problem in self.problems)
        stamp = self.stamp if whole else ""
        if whole and not self.parts:
            yield raw(key, self.study, cursor=cursor, stamp=stamp)
            return
        yield raw(key, self.study)
        for part in self.parts:
            yield from part.fetched()
        end = EndItem(self.hit.accession)
        yield raw(end_key(self.hit.accession), end, cursor=cursor, stamp=stamp)


class StudyReader:
    """Reads studies over HTTP, with as few requests as tell whether they changed."""

    def __init__(self, http: Http, options: BioStudiesOptions, walk: Walk) -> None:
        self._http = http
        self._options = options
        self._walk = walk
        self._site = site_of(options.url)
        self._aside: set[IO[bytes]] = set()
        self._setbacks = Setbacks()

    def close(self, bundle: Bundle | None = None) -> None:
        """Let go of what lies aside: that of one study, or all."""
        held = {part.lines for part in bundle.parts if part.lines} if bundle else self._aside
        for lines in held:
            lines.close()
        self._aside = self._aside - held

    async def __call__(self, hit: Hit | Problem) -> Bundle:
        """Read a study; what cannot be read is a problem of the bundle."""
        if isinstance(hit, Problem):
            return Bundle(Hit(""), problems=[hit])
        try:
            bundle = await self._read(hit)
        except SourceError as error:
            problem = self._setbacks.problem(study_key(hit.accession), error)
            return Bundle(hit, problems=[problem])
        self._setbacks.success()
        return bundle

    async def _read(self, hit: Hit) -> Bundle:
        info = await self._info(hit.accession)
        facts = info.json() if info is not None else {}
        stamp = text_of(facts.get("modified"))
        if stamp and stamp in (self._kept(hit, end_key), self._kept(hit, study_key)):
            return Bundle(hit, unchanged=True)
        pagetab = await self._pagetab(hit.accession)
        public = facts.get("isPublic") is not False
        answered = info.content if info is not None else b""
        item = StudyItem(self._site, hit.accession, pagetab, answered, hit.content, public)
        bundle = Bundle(hit, study=item, stamp=stamp)
        await self._parts(bundle, item)
        return bundle

    def _kept(self, hit: Hit, key: Any) -> str:
        return self._walk.stamp(key(hit.accession))

    def _api(self, *parts: str) -> str:
        return "/".join((self._site, "api/v1/studies", *(quote(part, safe="") for part in parts)))

    async def _info(self, accession: str) -> Answer | None:
        address = self._api(accession, "info")
        answer = await self._http.get(address, expect=(200, 404), check=_check_object)
        return answer if answer.status == 200 else None

    async def _pagetab(self, accession: str) -> bytes:
        answer = await self._http.get(self._api(accession), check=_check_object)
        link = answer.json().get("ftpHttp_link")
        if isinstance(link, str) and link and "section" not in answer.json():
            address = urljoin(f"{self._site}/", f"{link.rstrip('/')}/{quote(accession)}.json")
            answer = await self._http.get(address, check=_check_object)
        read_submission(answer.content)
        return answer.content

    async def _parts(self, bundle: Bundle, study: StudyItem) -> None:
        submission = read_submission(study.pagetab)
        described = described_in(submission)
        budget = _Budget(self._options.max_files)
        for part in parts_of(submission):
            item = PartItem(
                study.site,
                study.accession,
                part.name,
                part.section,
                described,
                public=study.public,
            )
            try:
                bundle.parts.append(await self._part(item, part.list_name, budget, bundle.problems))
            except SourceError as error:
                key, where = part_key(study.accession, part.name), error.where or part.list_name
                bundle.problems.append(Problem(key, error.message, where, error.hint))

    async def _part(
        self, item: PartItem, name: str, budget: _Budget, problems: list[Problem]
    ) -> ReadPart:
        key = part_key(item.accession, item.part)
        first = budget.lists.setdefault(name, item.part)
        if not name or not self._options.files:
            return ReadPart(item)
        if first != item.part:
            reason = f"the file list is that of {first}; its files are kept there"
            problems.append(Problem(key, reason, name, severity="warning"))
            return ReadPart(item)
        if budget.left == 0:
            return ReadPart(item)
        lines = self._file()
        facts = await self._list(item.accession, name, budget.left, lines)
        if facts is None:
            problems.append(Problem(key, "the file list is not there", name, severity="warning"))
            return ReadPart(item)
        if budget.spend(facts.entries):
            reason = f"only the first {self._options.max_files} files of the study are read"
            problems.append(Problem(key, reason, name, severity="warning"))
        return ReadPart(msgspec.structs.replace(item, facts=facts), lines)

    def _file(self) -> IO[bytes]:
        lines: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- see close
        self._aside.add(lines)
        return lines

    async def _list(
        self, accession: str, written: str, most: int | None, lines: IO[bytes]
    ) -> ListFacts | None:
        """Write the entries of a file list aside; None when there is none of this name."""
        name = written.strip().lstrip("/")
        if ".." in name.split("/"):
            raise SourceRefused("the file list lies outside of the study", where=name)
        base = f"{self._site}/files/{quote(accession)}/"
        other = f"{name.rpartition('.')[0] or name}.json"
        for one in [name] if name.lower().endswith(".json") else [name, other]:
            with SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
                if await self._download(base + quote(one), whole):
                    return await asyncio.to_thread(_set_aside, one, whole, most, lines)
        return None

    async def _download(self, address: str, whole: IO[bytes]) -> bool:
        """Get a file list, once more if it is cut short; False when there is none."""
        limit = self._options.max_list_mb * 1024 * 1024
        for again in (True, False):
            answer = await self._http.get(address, expect=(200, 404), limit=limit, into=whole)
            if answer.status == 404:
                return False
            if not again or await asyncio.to_thread(_is_whole, whole):
                break
        return True


class _Budget:
    """How many more files of a study may be read, and which list belongs to which data set."""

    def __init__(self, most: int) -> None:
        self.left = most or None
        self.lists: dict[str, str] = {}

    def spend(self, count: int) -> bool:
        """Count files that were read; return whether these were the last that may be."""
        if self.left is not None:
            self.left -= count
        return self.left == 0


def _check_object(answer: Answer) -> None:
    if answer.status == 200 and not isinstance(answer.json(), dict):
        raise SourceMalformed("the answer is no JSON object", where=answer.url)


def _is_whole(whole: IO[bytes]) -> bool:
    """Whether a file list that begins as JSON also ends as it."""
    whole.seek(0)
    if whole.read(64).lstrip()[:1] != b"[":
        return True
    whole.seek(-min(64, whole.seek(0, 2)), 2)
    return whole.read().rstrip()[-1:] == b"]"


def _set_aside(name: str, whole: IO[bytes], most: int | None, lines: IO[bytes]) -> ListFacts:
    """Write the entries of a file list to a file of their own, one a line, and count them."""
    suffixes: dict[str, int] = {}
    count = 0
    whole.seek(0)
    start = whole.read(64).lstrip()[:1]
    if start == b"<":
        raise SourceMalformed("is a web page, no file list", where=name)
    kind = ".json" if start == b"[" else name
    whole.seek(0)

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for entry in islice(read_list(kind, iter(lambda: whole.read(_CHUNK), b"")), most):
            count += 1
            yield entry

    for entry in stores_once(counted()):
        lines.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        suffix = _suffix(text_of(entry.get("path")))
        suffix = suffix if suffix in suffixes or len(suffixes) < MAX_SUFFIXES else "..."
        suffixes[suffix] = suffixes.get(suffix, 0) + 1
    return ListFacts(name, count, suffixes)


def _suffix(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2].lower()
    suffix = name.rpartition(".")[2] if "." in name else ""
    return f".{suffix}" if suffix and len(suffix) <= 12 else ""
