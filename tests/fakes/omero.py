"""A small OMERO.web with a world of projects, data sets, screens and plates, quirks included.

It speaks the JSON API, the webclient's annotations, and (when asked to) the API's annotations that
newer servers have. What users may see, sessions, CSRF tokens and paging are as on a real server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from parfocal.testing.loopback import Asked, Given, given_json

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
VERSION = ("X-OMERO-ApiVersion", "0.2")
KINDS = ("project", "dataset", "image", "screen", "plate", "well", "run")
_TYPES = {"run": "PlateAcquisition"}
_LISTS = {f"{kind}s": kind for kind in KINDS} | {"plateacquisitions": "run"}
_LONG = {
    "tag": "textValue",
    "comment": "textValue",
    "xml": "textValue",
    "long": "longValue",
    "double": "doubleValue",
    "boolean": "boolValue",
    "term": "termValue",
    "timestamp": "timeValue",
}
_PERMISSIONS = {"private": "rw----", "read-only": "rwr---", "read-annotate": "rwra--"}
_LOGIN_PAGE = b"<!DOCTYPE html><html><body><form>Log in</form></body></html>"


@dataclass
class Thing:
    """An object of the server."""

    kind: str
    id: int
    name: str
    owner: int = 2
    group: int = 3
    description: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    parents: list[tuple[str, int]] = field(default_factory=list)
    pixels: dict[str, Any] | None = None
    channels: list[dict[str, Any]] = field(default_factory=list)
    rois: int = 0


@dataclass
class Note:
    """An annotation and what it is linked to."""

    id: int
    kind: str
    value: Any
    ns: str | None = None
    description: str | None = None
    targets: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Sample:
    """A field of a well."""

    well: int
    image: int
    run: int | None = None
    x: float = 0.0


@dataclass
class Person:
    """A user with the groups that they are in."""

    id: int
    name: str
    password: str
    first: str
    last: str
    groups: tuple[int, ...]


class FakeOmero:
    """The server; ``public`` opens it to everybody as the user of that name."""

    def __init__(self, *, public: bool = True, prefix: str = "") -> None:
        self.prefix = prefix
        self.public = public
        self.links = "absolute"
        self.webclient_open = True
        self.api_annotations = False
        self.most = 500
        self.servers = [{"id": 1, "host": "omero.example.org", "port": 4064, "server": "main"}]
        self.cookie = "sessionid"
        self.csrf = True
        self.tells_user = True
        self.things: dict[tuple[str, int], Thing] = {}
        self.notes: dict[int, Note] = {}
        self.samples: list[Sample] = []
        self.groups: dict[int, tuple[str, str]] = {}
        self.people: dict[int, Person] = {}
        self.sessions: dict[str, int] = {}
        self.public_user = 1
        self.before_answer: Callable[[Asked], None] = lambda asked: None
        self.how = ""
        self._tokens: set[str] = set()
        self._number = 100
        self._turn = 0
        self._answered = 0
        self.logins = 0

    # -------------------------------------------------------------- making the world

    def number(self) -> int:
        self._number += 1
        return self._number

    def group(self, id: int, name: str, permissions: str) -> None:
        self.groups[id] = (name, permissions)

    def person(self, id: int, name: str, first: str, last: str, groups: Iterable[int]) -> None:
        self.people[id] = Person(id, name, f"secret-{name}", first, last, tuple(groups))

    def add(self, kind: str, name: str, *parents: Thing, **more: Any) -> Thing:
        """Add an object that lies in others."""
        thing = Thing(kind, more.pop("id", 0) or self.number(), name, **more)
        thing.parents = [(parent.kind, parent.id) for parent in parents]
        self.things[kind, thing.id] = thing
        return thing

    def image(self, name: str, *parents: Thing, **more: Any) -> Thing:
        more.setdefault("pixels", {"SizeX": 512, "SizeY": 256, "SizeZ": 3, "SizeC": 2, "SizeT": 1})
        more.setdefault("channels", [{"Name": "DAPI", "Color": 65535}, {"Name": "GFP"}])
        return self.add("image", name, *parents, **more)

    def well(self, plate: Thing, row: int, column: int, **more: Any) -> Thing:
        return self.add("well", "", plate, facts={"Row": row, "Column": column}, **more)

    def field(self, well: Thing, name: str, run: Thing | None = None, **more: Any) -> Thing:
        image = self.image(name, **more)
        self.samples.append(Sample(well.id, image.id, run.id if run else None, 1.5))
        return image

    def note(self, kind: str, value: Any, *targets: Thing, **more: Any) -> Note:
        note = Note(self.number(), kind, value, **more)
        note.targets = [(target.kind, target.id) for target in targets]
        self.notes[note.id] = note
        return note

    def change(self, thing: Thing, **facts: Any) -> None:
        for name, value in facts.items():
            setattr(thing, name, value)

    def remove(self, thing: Thing) -> None:
        """Delete an object; what lies in a well or plate goes with it."""
        del self.things[thing.kind, thing.id]
        if thing.kind in ("plate", "well"):
            for child in [t for t in self.things.values() if (thing.kind, thing.id) in t.parents]:
                self.remove(child)
        if thing.kind == "well":
            for sample in [s for s in self.samples if s.well == thing.id]:
                self.samples.remove(sample)
                self.things.pop(("image", sample.image), None)

    # -------------------------------------------------------------- answering

    def misbehave(self, how: str) -> None:
        self.how = how

    def answer(self, asked: Asked) -> Given:
        self.before_answer(asked)
        self._answered += 1
        if self.how == "expired" and self._answered % 40 == 0:
            self.expire()
        if not asked.path.startswith(self.prefix + "/"):
            return Given(404, b"<h1>Not Found</h1>", "text/html")
        path = asked.path.removeprefix(self.prefix)
        if path.startswith("/api/"):
            return self._api(path.removeprefix("/api/"), asked)
        return self._web(path, asked)

    def _user(self, asked: Asked) -> int | None:
        """Who asks; on a public server whoever is not, or no longer, logged in is everybody."""
        session = self.cookies(asked).get(self.cookie, "")
        return self.sessions.get(session, self.public_user if self.public else None)

    @staticmethod
    def cookies(asked: Asked) -> dict[str, str]:
        pairs = (part.partition("=") for part in asked.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip(' "') for name, _, value in pairs}

    def expire(self) -> None:
        """Forget all sessions."""
        self.sessions.clear()

    def sees(self, user: int, thing: Thing) -> bool:
        _, permissions = self.groups[thing.group]
        if thing.group not in self.people[user].groups:
            return False
        return permissions != "private" or thing.owner == user

    # -------------------------------------------------------------- the JSON API

    def _api(self, path: str, asked: Asked) -> Given:
        if path == "":
            return self._json({"data": [{"version": "0", "url:base": self._link(asked, "v0/")}]})
        if not path.startswith("v0/"):
            return Given(404, b"<h1>Not Found</h1>", "text/html")
        path = path.removeprefix("v0/")
        fixed = {
            "": lambda: self._json(self._bases(asked)),
            "token/": lambda: self._token(),
            "servers/": lambda: self._json({"data": self.servers}),
            "login/": lambda: self._login(asked),
        }
        if path in fixed:
            return fixed[path]()
        user = self._user(asked)
        if user is None:
            return given_json({"message": "Not logged in"}, 403)
        if asked.method != "GET":
            return self._json({"message": "Not allowed"}, 405)
        try:
            return self._objects(path.removeprefix("m/").strip("/").split("/"), asked, user)
        except ValueError as error:
            return self._json({"message": str(error)}, 400)

    def _json(self, value: object, status: int = 200) -> Given:
        return given_json(value, status, (VERSION,))

    def _link(self, asked: Asked, path: str) -> str:
        host = {
            "absolute": f"http://{asked.headers['host']}",
            "elsewhere": "http://inside.example.org:8080",
            "relative": "",
            "empty": "",
        }[self.links]
        return "" if self.links == "empty" else f"{host}{self.prefix}/api/{path}"

    def _bases(self, asked: Asked) -> dict[str, str]:
        lists = ("experimenters", "experimentergroups", "projects", "datasets", "images", "screens")
        found = {
            f"url:{name}": self._link(asked, f"v0/m/{name}/") for name in (*lists, "plates", "rois")
        }
        for name in ("token", "servers", "login"):
            found[f"url:{name}"] = self._link(asked, f"v0/{name}/")
        return found | {"url:save": self._link(asked, "v0/m/save/"), "url:schema": SCHEMA}

    def _token(self) -> Given:
        token = f"token{self.number()}"
        self._tokens.add(token)
        cookie = ("Set-Cookie", f"csrftoken={token}; Path=/")
        return given_json({"data": token}, 200, (VERSION, cookie))

    def _login(self, asked: Asked) -> Given:
        if asked.method != "POST":
            words = "POST only with username, password, server and csrftoken"
            return given_json({"message": words}, 405)
        is_json = "json" in asked.headers.get("content-type", "")
        text = asked.body.decode()
        form = json.loads(text) if is_json else {k: v[0] for k, v in parse_qs(text).items()}
        token = asked.headers.get("x-csrftoken") or (
            "" if is_json else form.get("csrfmiddlewaretoken")
        )
        known = token in self._tokens and self.cookies(asked).get("csrftoken") in self._tokens
        if self.csrf and not known:
            return Given(403, b"<h1>Forbidden</h1> CSRF verification failed.", "text/html")
        if not form.get("username") and not form.get("password"):
            user = self._user(asked)
            if user is None or not self.tells_user:
                return given_json({"message": "Username: This field is required."}, 403)
            return self._event_context(user)
        offered = {str(server["id"]) for server in self.servers}
        person = next((p for p in self.people.values() if p.name == form.get("username")), None)
        wrong = person is None or person.password != form.get("password")
        if wrong or str(form.get("server")) not in offered:
            words = "Connection not available, please check your user name and password."
            return given_json({"message": words}, 403)
        self.logins += 1
        session = f"session{self.number()}"
        self.sessions[session] = person.id
        self._tokens.clear()  # Django gives a new token with every login
        return self._event_context(person.id, ("Set-Cookie", f"{self.cookie}={session}; Path=/"))

    def _event_context(self, user: int, *headers: tuple[str, str]) -> Given:
        person = self.people[user]
        context = {
            "sessionId": 1,
            "userId": user,
            "userName": person.name,
            "groupId": person.groups[0],
            "groupName": self.groups[person.groups[0]][0],
            "isAdmin": False,
            "memberOfGroups": list(person.groups),
        }
        return given_json({"success": True, "eventContext": context}, 200, headers)

    # -------------------------------------------------------------- objects

    def _objects(self, parts: list[str], asked: Asked, user: int) -> Given:
        kinds = parts[::2]
        ids = [int(part) for part in parts[1::2] if part.isdigit()]
        last = kinds[-1]
        if last.endswith("annotations"):
            return self._api_annotations(last, asked, user)
        if last == "rois":
            return self._rois(parts, asked, user)
        if last not in _LISTS:
            return Given(404, b"<h1>Not Found</h1>", "text/html")
        kind = _LISTS[last]
        if len(parts) % 2 == 0:
            return self._single(kind, ids[-1], asked, user)
        inside = (_LISTS[kinds[-2]], ids[-1]) if len(kinds) > 1 else None
        return self._listing(kind, inside, asked, user)

    def _single(self, kind: str, id: int, asked: Asked, user: int) -> Given:
        thing = self.things.get((kind, id))
        gone = thing is None or not self.sees(user, thing)
        if gone or (kind == "image" and thing.pixels is None):
            title = _TYPES.get(kind, kind.title())
            return self._json({"message": f"{title} {id} not found", "stacktrace": "..."}, 404)
        body = self._shown(thing, asked, alone=True)
        if asked.one("childCount") == "true" and kind in ("project", "dataset", "screen"):
            body["omero:childCount"] = self._count(thing)
        return self._json({"data": body})

    def _listing(self, kind: str, inside: tuple[str, int] | None, asked: Asked, user: int) -> Given:
        offset, limit = self._window(asked)
        if kind == "run" and inside and self._has_empty_run(inside[1]) and limit:
            shown = self._visible(kind, inside, asked, user)[offset : offset + limit]
            if any(not self._fields(run.id) for run in shown):
                words = {"message": "list index out of range", "stacktrace": "IndexError"}
                return self._json(words, 500)
        things = self._visible(kind, inside, asked, user)
        if self.how == "empty":
            things = []
        start = 0 if self.how == "duplicate-page" else offset
        shown = things[start : start + limit]
        total = offset + limit + 7 if self.how == "endless-next" and limit else len(things)
        data = [self._shown(thing, asked) for thing in shown]
        if asked.one("childCount") == "true" and kind in ("project", "dataset", "screen"):
            for thing, body in zip(shown, data, strict=True):
                body["omero:childCount"] = self._count(thing)
        answer: dict[str, Any] = {
            "meta": self._meta(offset, limit, total),
            "data": data,
        }
        if asked.one("normalize") == "true":
            answer |= self._normalized(data)
        return self._json(answer)

    def _window(self, asked: Asked) -> tuple[int, int]:
        offset, limit = int(asked.one("offset", "0")), int(asked.one("limit", "200"))
        return max(offset, 0), min(200 if limit < 0 else limit, self.most)

    def _meta(self, offset: int, limit: int, total: int) -> dict[str, int]:
        return {"offset": offset, "limit": limit, "maxLimit": self.most, "totalCount": total}

    def _visible(
        self, kind: str, inside: tuple[str, int] | None, asked: Asked, user: int
    ) -> list[Thing]:
        found = [t for t in self.things.values() if t.kind == kind and self.sees(user, t)]
        if inside and inside[0] == "image":  # the containers of an image
            child = self.things.get(inside)
            return [thing for thing in found if child and (kind, thing.id) in child.parents]
        if inside is None and kind == "image" and asked.one("dataset"):
            inside = ("dataset", int(asked.one("dataset")))
        if inside is not None:
            found = [thing for thing in found if inside in self._parents(thing)]
        if asked.one("orphaned") == "true":
            found = [thing for thing in found if not self._parents(thing)]
        if asked.one("group"):
            found = [thing for thing in found if thing.group == int(asked.one("group"))]
        if kind == "well":
            return sorted(found, key=lambda w: (w.facts["Column"], w.facts["Row"], w.id))
        return sorted(found, key=lambda thing: (thing.name.lower(), thing.id))

    def _parents(self, thing: Thing) -> list[tuple[str, int]]:
        if thing.kind == "image":
            wells = [("well", s.well) for s in self.samples if s.image == thing.id]
            return [parent for parent in (*thing.parents, *wells) if parent in self.things]
        return [parent for parent in thing.parents if parent in self.things]

    def _count(self, thing: Thing) -> int:
        return sum(1 for t in self.things.values() if (thing.kind, thing.id) in t.parents)

    def _fields(self, run: int) -> list[Sample]:
        return [sample for sample in self.samples if sample.run == run]

    def _has_empty_run(self, plate: int) -> bool:
        runs = [
            t for t in self.things.values() if t.kind == "run" and ("plate", plate) in t.parents
        ]
        return any(not self._fields(run.id) for run in runs)

    # -------------------------------------------------------------- an object's JSON

    def _shown(self, thing: Thing, asked: Asked, *, alone: bool = False) -> dict[str, Any]:
        kind = _TYPES.get(thing.kind, thing.kind.title())
        body: dict[str, Any] = {"@id": thing.id, "@type": f"{SCHEMA}#{kind}"}
        body["omero:details"] = self._details(thing)
        if thing.name:
            body["Name"] = thing.name
        if thing.description:
            body["Description"] = thing.description
        body |= thing.facts
        if thing.kind == "image":
            self._add_pixels(body, thing, channels=alone)
        if thing.kind == "well":
            body["WellSamples"] = list(self._well_samples(thing, asked, alone))
            if not body["WellSamples"]:
                del body["WellSamples"]
        body[f"url:{thing.kind}"] = self._link(asked, f"v0/m/{thing.kind}s/{thing.id}/")
        return body

    def _add_pixels(self, body: dict[str, Any], thing: Thing, *, channels: bool) -> None:
        if thing.pixels is None:
            return
        body["Pixels"] = {
            "@id": thing.id + 1000,
            "@type": f"{SCHEMA}#Pixels",
            "omero:details": {},
            "Type": {"@id": 6, "@type": "TBD#PixelType", "value": "uint16"},
            "SignificantBits": 12,
            "omero:sha1": "0" * 40,
            **thing.pixels,
        }
        if channels:
            body["Pixels"]["Channels"] = [
                {"@id": 5000 + n, "@type": f"{SCHEMA}#Channel", "omero:details": {}, **channel}
                for n, channel in enumerate(thing.channels)
            ]

    def _well_samples(self, well: Thing, asked: Asked, alone: bool) -> Iterator[dict[str, Any]]:
        for sample in self.samples:
            image = self.things.get(("image", sample.image))
            if sample.well != well.id or image is None:
                continue
            shown = self._shown(image, asked, alone=False)
            if not alone:
                shown.pop("Pixels", None)
            body: dict[str, Any] = {
                "@id": sample.image + 2000,
                "@type": f"{SCHEMA}#WellSample",
                "PositionX": {
                    "@type": "TBD#LengthI",
                    "Unit": "REFERENCEFRAME",
                    "Value": sample.x,
                    "Symbol": "reference frame",
                },
                "Image": shown,
            }
            run = self.things.get(("run", sample.run or 0))
            if run:
                body["PlateAcquisition"] = {
                    "@id": run.id,
                    "@type": f"{SCHEMA}#PlateAcquisition",
                    "Name": run.name,
                    **run.facts,
                }
            yield body

    def _details(self, thing: Thing) -> dict[str, Any]:
        name, permissions = self.groups[thing.group]
        person = self.people[thing.owner]
        shown = {
            "@type": "TBD#Permissions",
            "perm": _PERMISSIONS[permissions],
            "canEdit": False,
            "isWorldRead": False,
        }
        return {
            "@type": "TBD#Details",
            "permissions": shown,
            "owner": {
                "@id": person.id,
                "@type": f"{SCHEMA}#Experimenter",
                "UserName": person.name,
                "FirstName": person.first,
                "LastName": person.last,
                "Email": "",
                "omero:details": {"@type": "TBD#Details"},
            },
            "group": {
                "@id": thing.group,
                "@type": f"{SCHEMA}#ExperimenterGroup",
                "Name": name,
                "omero:details": {"@type": "TBD#Details", "permissions": shown},
            },
        }

    def _normalized(self, data: list[dict[str, Any]]) -> dict[str, Any]:
        owners: dict[int, Any] = {}
        groups: dict[int, Any] = {}
        for body in data:
            details = body["omero:details"]
            if not details:
                continue
            for name, kept in (("owner", owners), ("group", groups)):
                kept[details[name]["@id"]] = details[name]
                details[name] = {"@id": details[name]["@id"]}
        return {
            "experimenters": list(owners.values()),
            "experimenterGroups": list(groups.values()),
        }

    def _rois(self, parts: list[str], asked: Asked, user: int) -> Given:
        offset, limit = self._window(asked)
        images = self._visible("image", None, Asked("GET", "", {}, {}), user)
        if asked.one("group"):
            images = [image for image in images if image.group == int(asked.one("group"))]
        wanted = parts[1] if len(parts) == 3 else asked.one("image")
        if wanted:
            images = [image for image in images if image.id == int(wanted)]
        ids = [image.id * 100 + n for image in images for n in range(image.rois)]
        data = [{"@id": id, "@type": f"{SCHEMA}#ROI"} for id in ids[offset : offset + limit]]
        return self._json({"meta": self._meta(offset, limit, len(ids)), "data": data})

    # -------------------------------------------------------------- annotations

    def _linked(
        self, asked: Asked, names: dict[str, str], user: int
    ) -> Iterator[tuple[Note, Thing]]:
        for parameter, kind in names.items():
            for id in asked.query.get(parameter, ()):
                thing = self.things.get((kind, int(id)))
                if thing is None or not self.sees(user, thing):
                    continue
                for note in self.notes.values():
                    if (kind, thing.id) in note.targets:
                        yield note, thing

    def _api_annotations(self, name: str, asked: Asked, user: int) -> Given:
        if not self.api_annotations:
            return Given(404, b"<h1>Not Found</h1>", "text/html")
        names = {kind: kind for kind in KINDS if kind != "run"} | {"plateacquisition": "run"}
        wanted = name.removesuffix("annotations") or asked.one("type")
        found = {
            note.id: note
            for note, _ in self._linked(asked, names, user)
            if not wanted or note.kind == wanted
        }
        offset, limit = self._window(asked)
        notes = [found[id] for id in sorted(found)]
        data = [_as_marshalled(note) for note in notes[offset : offset + limit]]
        return self._json({"meta": self._meta(offset, limit, len(notes)), "data": data})

    def _web(self, path: str, asked: Asked) -> Given:
        if path == "/webclient/login/":
            return Given(200, _LOGIN_PAGE, "text/html")
        user = self._user(asked)
        if user is None or not self.webclient_open:
            if asked.headers.get("x-requested-with") == "XMLHttpRequest":
                return Given(403, b"", "text/html")
            place = ("Location", f"{self.prefix}/webclient/login/?url={path}")
            return Given(302, b"", "text/html", (place,))
        if path == "/webclient/api/annotations/":
            return self._webclient_annotations(asked, user)
        if re.fullmatch(r"/webgateway/render_thumbnail/\d+/", path):
            return Given(200, b"\xff\xd8\xff", "image/jpeg")
        return Given(404, b"<h1>Not Found</h1>", "text/html")

    def _webclient_annotations(self, asked: Asked, user: int) -> Given:
        """Answer in the order of namespaces only: the rest changes from request to request."""
        self._turn += 1
        names = {kind: kind for kind in KINDS if kind != "run"} | {"acquisition": "run"}
        page, limit = int(asked.one("page", "1")), int(asked.one("limit", "20000"))
        shown: list[dict[str, Any]] = []
        for parameter, kind in names.items():
            pairs = list(self._linked(asked, {parameter: kind}, user))
            turn = self._turn % (len(pairs) or 1)
            pairs = sorted(pairs[turn:] + pairs[:turn], key=lambda pair: pair[0].ns or "")
            shown += [
                self._as_webclient(note, thing)
                for note, thing in pairs[(page - 1) * limit : page * limit]
                if asked.one("type") in ("", note.kind)
            ]
        people = [
            {"id": p.id, "omeName": p.name, "firstName": p.first, "lastName": p.last}
            for p in self.people.values()
        ]
        return given_json({"annotations": shown, "experimenters": people if shown else []})

    def _as_webclient(self, note: Note, thing: Thing) -> dict[str, Any]:
        kind = _TYPES.get(thing.kind, thing.kind.title())
        permissions = {"canDelete": False, "canAnnotate": False, "canLink": False, "canEdit": False}
        body: dict[str, Any] = {
            "id": note.id,
            "ns": note.ns,
            "name": None,
            "description": note.description,
            "owner": {"id": 2},
            "date": "2015-12-11T10:00:00+00:00",
            "permissions": permissions,
            "link": {
                "id": note.id * 1000 + thing.id,
                "owner": {"id": 2},
                "parent": {"id": thing.id, "class": f"{kind}I", "name": thing.name},
                "date": "2015-12-11T10:00:00+00:00",
                "permissions": permissions,
            },
            "class": f"{note.kind.title()}AnnotationI",
        }
        if note.kind == "map":
            body["values"] = note.value
        elif note.kind == "file":
            body["file"] = {
                "id": note.id + 1,
                "name": note.value,
                "size": 10,
                "path": "/",
                "mimetype": "text/csv",
            }
        else:
            body[_LONG[note.kind]] = note.value
        return body


def _as_marshalled(note: Note) -> dict[str, Any]:
    body: dict[str, Any] = {"@id": note.id, "@type": f"{SCHEMA}#{note.kind.title()}Annotation"}
    body["omero:details"] = {"@type": "TBD#Details"}
    if note.ns:
        body["Namespace"] = note.ns
    if note.description:
        body["Description"] = note.description
    if note.kind == "file":
        return body | {"File": {"@id": note.id + 1, "Name": note.value, "Size": 10}}
    return body | {"Value": note.value}


def small_world(**settings: Any) -> FakeOmero:
    """A server with projects, a screen with a plate, an orphaned image, one group's secrets."""
    omero = FakeOmero(**settings)
    omero.group(3, "Open data", "read-only")
    omero.group(4, "Lab A", "read-annotate")
    omero.person(1, "public", "Public", "User", (3,))
    omero.person(2, "ada", "Ada", "Example", (3, 4))
    fill(omero)
    return omero


def tiny_world(**settings: Any) -> FakeOmero:
    """As little as has pages, a plate, something that only some may see, and an orphan."""
    omero = FakeOmero(**settings)
    omero.group(3, "Open data", "read-only")
    omero.group(4, "Lab A", "read-annotate")
    omero.person(1, "public", "Public", "User", (3,))
    omero.person(2, "ada", "Ada", "Example", (3, 4))
    project = omero.add("project", "Mitosis")
    cells = omero.add("dataset", "Cells", project)
    omero.image("hidden.tif", omero.add("dataset", "Secret", project, group=4), group=4)
    shared = omero.image("shared.tif", cells, omero.add("dataset", "Loose"), rois=2)
    for number in range(3):
        omero.image(f"cell {number}.tif", cells)
    plate = omero.add("plate", "P1", omero.add("screen", "Screen of genes"))
    omero.field(omero.well(plate, 1, 1), "B2 field 1")
    omero.image("orphan.tif")
    omero.note("map", [["Organism", "Homo sapiens"], ["Gene", "A"]], shared, plate)
    return omero


def fill(omero: FakeOmero) -> None:
    first = omero.add("project", "Mitosis", description="Dividing cells.")
    second = omero.add("project", "Again")
    cells = omero.add("dataset", "Cells", first, second)
    omero.add("dataset", "Empty", first)
    loose = omero.add("dataset", "Loose")
    secret = omero.add("dataset", "Not yet published", first, group=4)
    size = {"@type": "TBD#LengthI", "Unit": "MICROMETER", "Symbol": "µm", "Value": 0.5}
    shared = omero.image("shared.tif", cells, loose, rois=2)
    omero.change(shared, facts={"AcquisitionDate": 1_449_828_000_000, "omero:series": 0})
    shared.pixels |= {"PhysicalSizeX": size, "PhysicalSizeY": size}
    for number in range(5):
        omero.image(f"cell {number}.tif", cells)
    broken = omero.image("no pixels.tif", cells, pixels=None)
    omero.image("hidden.tif", secret, group=4)
    omero.image("orphan.tif")
    plates = omero.add("screen", "Screen of genes", facts={"ProtocolDescription": "As usual."})
    plate = omero.add("plate", "P1", plates, facts={"Rows": 8, "Columns": 12})
    omero.add("plate", "P2 without wells")
    times = {"StartTime": 1_449_828_000_000, "MaximumFieldCount": 2}
    run = omero.add("run", "Run 1", plate, facts=times)
    for column in range(2):
        well = omero.well(plate, 1, column)
        for number in range(2):
            omero.field(well, f"B{column + 1} field {number + 1}", run)
    treated = omero.well(plate, 2, 0)
    ns = "openmicroscopy.org/omero/client/mapAnnotation"
    pairs = [["Organism", "Homo sapiens"], ["Gene", "A"], ["Gene", "B"]]
    omero.note("map", pairs, shared, ns=ns)
    omero.note("map", [["Compound", "DMSO"]], treated, ns=ns)
    image = omero.things["image", omero.samples[0].image]
    both = omero.things["well", omero.samples[0].well]
    omero.note("map", [["Compound", "nocodazole"]], both, image, ns=ns)
    omero.note("tag", "favourite", shared, cells, broken)
    omero.note("comment", "out of focus", shared)
    omero.note("file", "results.csv", first, plates)
    omero.note("long", 4, shared, ns="openmicroscopy.org/omero/insight/rating")
    omero.note("boolean", True, plate, description="checked")
    omero.note("tag", "second run", run)
    study = [["License", "CC BY 4.0"], ["Data DOI", "https://doi.org/10.17867/10000101"]]
    study += [["Release Date", "2016-05-27"], ["Publication DOI", "10.1038/nsmb.2816"]]
    omero.note("map", study, first, ns="openmicroscopy.org/omero/bulk_annotations")
