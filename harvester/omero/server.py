"""Talking to OMERO.web: where its addresses are, logging in, pages of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
from msgspec import Raw, Struct, field

from harvester.asking.answers import Answer, Garbled
from harvester.asking.http import Http, Params
from harvester.omero.options import OmeroOptions
from harvester.words.leaves import child, objects, words
from parfocal.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from parfocal.interfaces import Walk

LARGEST_PAGE = 500
"""What OMERO gives at most in a page unless its administrator set less."""
_LISTED = ("projects", "datasets", "images", "screens", "plates", "rois", "wells")
_LISTED_LATER = ("plateacquisitions", "annotations", "experimentergroups")
_LOGINS = 3
_PAGE_HINT = "is url the address of OMERO.web, and does its administrator open /api?"


class Meta(Struct, frozen=True):
    """How a page stands among its list; -1 is unknown."""

    total: int = field(name="totalCount", default=-1)
    largest: int = field(name="maxLimit", default=-1)


class Page(Struct, frozen=True):
    """A page of objects, each as its own JSON."""

    data: list[Raw]
    meta: Meta = Meta()
    experimenters: list[Raw] | None = None
    groups: list[Raw] | None = field(name="experimenterGroups", default=None)


class Reference(Struct, frozen=True):
    """An owner or group of an object, by id."""

    id: int = field(name="@id", default=-1)


class Details(Struct, frozen=True):
    """Who an object belongs to."""

    owner: Reference = Reference()
    group: Reference = Reference()


class Head(Struct, frozen=True):
    """The part of an object's JSON that the walk itself looks at."""

    id: int = field(name="@id")
    name: str | None = field(name="Name", default=None)
    children: int = field(name="omero:childCount", default=-1)
    details: Details = field(name="omero:details", default=Details())


class User(Struct, frozen=True):
    """Who is logged in."""

    id: int
    name: str


_pages: msgspec.json.Decoder[Page] = msgspec.json.Decoder(Page)
_heads: msgspec.json.Decoder[Head] = msgspec.json.Decoder(Head)


def read_head(body: Raw | bytes) -> Head:
    """Read what the walk needs of an object; Garbled when it is none."""
    try:
        return _heads.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _strange_head(body)


def _strange_head(body: Raw | bytes) -> Head:
    """Read an object with values of unexpected types; it needs an id."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbled(f"an object of the list cannot be read: {error}") from error
    number = child(found, "@id")
    if not isinstance(number, int):
        raise Garbled("an object of the list has no id")
    owner, group = (child(found, "omero:details", name, "@id") for name in ("owner", "group"))
    details = Details(
        Reference(owner if isinstance(owner, int) else -1),
        Reference(group if isinstance(group, int) else -1),
    )
    return Head(number, words(found.get("Name")), -1, details)


def with_query(url: str, params: Params) -> str:
    """Return an address with parameters behind those that it has."""
    query = urlencode(params)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def web_address(url: str) -> str:
    """Return the address of OMERO.web, with a slash, from how people write it.

    >>> web_address("https://omero.example.org/omero/webclient/"), web_address("http://x/api/v0")
    ('https://omero.example.org/omero/', 'http://x/')
    """
    plain = urljoin(url, urlsplit(url).path).rstrip("/")
    for end in ("/api/v0/m", "/api/v0", "/api", "/webclient", "/webgateway"):
        plain = plain.removesuffix(end)
    return plain + "/"


class Server:
    """One OMERO.web during one walk."""

    def __init__(self, options: OmeroOptions, walk: Walk) -> None:
        self.options = options
        self.web = web_address(options.url)
        self.http = Http(options, walk, login=self._log_in_again if options.username else None)
        self.user: User | None = None
        self.largest = options.page_size
        self.images = 0
        self.notices: list[str] = []
        self._token = ""
        self._links: dict[str, str] = {}
        self._everybodys: int | None = None
        self._tells = True
        self._was_out = False

    async def open(self) -> None:
        """Find the addresses, log in when a user is set, learn how much there is."""
        self._links = await self._find_links()
        if self.options.username:
            self._everybodys = await self._everybodys_images()
            await self.renew()
        page = await self.page(self.address("images"), {"limit": 0})
        if not self._tells and page.meta.total == self._everybodys:
            await self._log_in()  # is that really all that the user may see?
            page = await self.page(self.address("images"), {"limit": 0})
        self.images = page.meta.total
        if 1 < page.meta.largest < self.largest:
            self.largest = page.meta.largest

    async def _everybodys_images(self) -> int | None:
        """Return how many images everybody may see, asked before a login; None if they may not."""
        url = with_query(self.address("images"), {"limit": 0})
        answer = await self.http.get(url, expect=(200, 401, 403))
        if answer.status != 200:
            return None
        try:
            return _pages.decode(answer.content).meta.total
        except (msgspec.DecodeError, RecursionError):
            return -1

    # -------------------------------------------------------------- addresses

    def address(self, name: str, *parts: object) -> str:
        """Return the address of a list of objects, or of what lies below one: ``datasets, 7``."""
        return self._links[name] + "".join(f"{part}/" for part in parts)

    async def _find_links(self) -> dict[str, str]:
        default = urljoin(self.web, "api/v0/")
        listed = await self._try_json(urljoin(self.web, "api/"))
        versions = objects(child(listed, "data"))
        bases = [self._here(words(one.get("url:base")), "api/") for one in versions[:5]]
        for base in dict.fromkeys([*reversed(bases), default]):
            links = await self._try_json(base)
            if isinstance(links, dict) and "url:projects" in links:
                return self._read_links(links, base)
        raise SourceMalformed("no OMERO JSON API is there", where=self.web, hint=_PAGE_HINT)

    async def _try_json(self, url: str) -> Any:
        """Return an answer's JSON; None when there is none, or the server keeps it to itself."""
        try:
            answer = await self.http.get(url)
            return answer.json()
        except SourceUnavailable:
            raise
        except SourceError:
            return None

    def _here(self, link: str, base: str) -> str:
        """Return a link on the host that the operator named, whatever host the server names."""
        target = urlsplit(urljoin(urljoin(self.web, base), link))
        home = urlsplit(self.web)
        return f"{home.scheme}://{home.netloc}{target.path}".rstrip("/") + "/"

    def _read_links(self, links: Mapping[str, object], base: str) -> dict[str, str]:
        found = {
            name.removeprefix("url:"): self._here(link, base)
            for name, link in links.items()
            if isinstance(link, str) and link and name.startswith("url:") and name != "url:schema"
        }
        found.setdefault("projects", urljoin(base, "m/projects/"))
        for name in (*_LISTED, *_LISTED_LATER):
            found.setdefault(name, urljoin(found["projects"], f"../{name}/"))
        for name in ("token", "servers", "login"):
            found.setdefault(name, urljoin(base, f"{name}/"))
        return found

    # -------------------------------------------------------------- login

    async def _log_in_again(self, http: Http) -> None:
        if not self._links:
            raise SourceRefused("the server keeps its addresses to itself", where=self.web)
        self._was_out = True  # and who knows for how long
        await self._log_in()

    async def _log_in(self) -> None:
        """Log in as the operator said; SourceRefused with the server's words when it refuses."""
        password = self.options.password
        if password is None:
            raise SourceRefused(
                "a user name without a password",
                where=self.web,
                hint='set password = "env:NAME" of the source',
            )
        self._token = await self._fresh_token()
        form = {
            "server": await self._server_number(),
            "username": self.options.username,
            "password": password.reveal(),
            "csrfmiddlewaretoken": self._token,
        }
        answer = await self._post_login(form)
        self.user = _user_of(answer)
        if self.user is None:
            said = words(child(_json_or_none(answer), "message")) or "no reason given"
            raise SourceRefused(
                f"login as {self.options.username} was refused: {said[:200]}",
                where=self.web,
                hint="check username, password and server of the source",
            )
        self._token = await self._fresh_token()

    async def _fresh_token(self) -> str:
        answer = await self.http.get(self._links["token"])
        return words(child(answer.json(), "data"))

    async def _post_login(self, form: Mapping[str, str]) -> Answer:
        headers = {"X-CSRFToken": form["csrfmiddlewaretoken"], "Referer": self._links["login"]}
        url = self._links["login"]
        return await self.http.post(url, form=form, headers=headers, expect=(200, 403))

    async def _server_number(self) -> str:
        """Return the number of the OMERO server to log in to, of those that the web offers."""
        answer = await self.http.get(self._links["servers"])
        offered = objects(child(answer.json(), "data"))
        wanted = self.options.server
        for one in offered:
            names = (words(one.get("id")), words(one.get("server")), words(one.get("host")))
            if not wanted or wanted in names:
                if not wanted and len(offered) > 1:
                    self.notice(f"the web offers {len(offered)} servers; this is {names[2]}")
                return names[0]
        known = ", ".join(words(one.get("server")) or words(one.get("host")) for one in offered)
        raise SourceRefused(
            f"there is no server {wanted!r}", where=self.web, hint=f"servers: {known or 'none'}"
        )

    def notice(self, text: str) -> None:
        """Remember once what the run report should say."""
        if text not in self.notices:
            self.notices.append(text)

    async def is_still_in(self) -> bool:
        """Whether the session is still the user's.

        Where everybody may look, an expired one has become everybody's without a word; where not,
        the server refuses, and nothing needs to be asked.
        """
        if self.user is None or self._everybodys is None:
            return True
        if self._was_out:
            return False
        if self._tells:
            return await self._user() == self.user
        count = await self.count(self.address("images"))
        return count != self._everybodys or self.images == self._everybodys

    async def _user(self) -> User | None:
        """Return whose session it is; None when the server does not tell."""
        for _ in range(2):
            answer = await self._post_login({"csrfmiddlewaretoken": self._token})
            found = _user_of(answer)
            if found is not None:
                return found
            self._token = await self._fresh_token()
        return None

    async def renew(self) -> None:
        """Log in until the server knows the user; SourceRefused when it does not."""
        self._was_out = False
        found: User | None = None
        for _ in range(_LOGINS):
            await self._log_in()
            if self._everybodys is None or not self._tells:
                return
            found = await self._user()
            if found is not None and found == self.user:
                return
        if found is None:
            self._tells = False
            self.notice("the server does not tell who is logged in; its number of images must do")
            return
        raise SourceRefused(
            "the server forgets who is logged in",
            where=self.web,
            hint="harvest again; the walk goes on where it was last sure of its user",
        )

    # -------------------------------------------------------------- pages

    async def page(self, url: str, params: Params) -> Page:
        """Return a page of objects; an answer that is none is asked for again."""
        found: list[Page] = []

        def read(answer: Answer) -> None:
            try:
                found[:] = [_pages.decode(answer.content)]
            except (msgspec.DecodeError, RecursionError) as error:
                raise Garbled(f"not a page of objects: {error}", where=url) from error

        await self.http.get(with_query(url, params), check=read)
        return found[0]

    async def count(self, url: str, params: Params = ()) -> int:
        """Return how many objects a list has, without asking for them."""
        page = await self.page(with_query(url, params), (("limit", "0"),))
        if page.meta.total < 0:
            raise SourceMalformed("the server does not count its objects", where=url)
        return page.meta.total

    async def is_alive(self) -> bool:
        """Whether the server answers at all, so that a failure is of one request only."""
        try:
            await self.page(self.address("projects"), {"limit": 0})
        except SourceError:
            return False
        return True


def _json_or_none(answer: Answer) -> Any:
    try:
        return answer.json()
    except SourceMalformed:
        return None


def _user_of(answer: Answer) -> User | None:
    """Return who an answer to a login says is in."""
    said = _json_or_none(answer)
    context = child(said, "eventContext")
    if answer.status != 200 or child(said, "success") is not True or not isinstance(context, dict):
        return None
    number = context.get("userId")
    return User(number if isinstance(number, int) else -1, words(context.get("userName")))


def people_by_id(bodies: Sequence[Raw] | None) -> dict[int, bytes]:
    """Return owners or groups of a page by their id."""
    found = {}
    for body in bodies or ():
        try:
            found[_heads.decode(body).id] = bytes(body)
        except msgspec.DecodeError:
            continue
    return found
