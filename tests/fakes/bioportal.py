"""A BioPortal server on paper: keys, search by pages, classes, annotator, submissions."""

import re
from urllib.parse import parse_qs

from parfocal.identifiers import curie_iri
from parfocal.testing.loopback import Given, given_json

LONGEST_GET = 20_000
MOST_A_PAGE = 2


class BioPortal:
    """Holds terms as ``TermInfo``, mappings between them, and files of submissions."""

    def __init__(self, terms=(), key="right", files=None, mappings=None):
        self.terms = {term.curie: term for term in terms}
        self.key = key
        self.files = files or {}
        self.mappings = mappings or {}

    def answer(self, asked):
        held = asked.headers.get("authorization", "").removeprefix("apikey token=")
        if self.key not in (held, asked.one("apikey")):
            return given_json({"status": 401, "error": "You must provide a valid API Key."}, 401)
        if asked.path == "/search":
            return self._search(asked)
        if asked.path == "/annotator":
            return self._annotator(asked)
        match = re.fullmatch(r"/ontologies/([^/]+)/download", asked.path)
        if match and match[1] in self.files:
            return Given(200, self.files[match[1]], "application/octet-stream")
        match = re.fullmatch(
            r"/ontologies/([^/]+)/classes/(.+?)(?:/(parents|ancestors|descendants|mappings))?",
            asked.path,
        )
        return self._class(match, asked) if match else given_json({"status": 404}, 404)

    def _search(self, asked):
        wanted = asked.one("q").lower()
        if not wanted:
            return given_json({"status": 400, "errors": ["query is required"]}, 400)
        exact = asked.one("require_exact_match") == "true"
        found = []
        for term in self.terms.values():
            names = [term.label.lower(), *(text.lower() for _, text in term.synonyms)]
            if wanted in names if exact else any(wanted in name for name in names):
                found.append(term)
        return self._page(found, asked, most=5000)

    def _page(self, found, asked, most=MOST_A_PAGE):
        number, size = int(asked.one("page", "1")), min(int(asked.one("pagesize", "50")), most)
        count = max(1, -(-len(found) // size))
        include = asked.one("include")
        return given_json(
            {
                "page": number,
                "pageCount": count,
                "totalCount": len(found),
                "prevPage": number - 1 or None,
                "nextPage": number + 1 if number < count else None,
                "links": {},
                "collection": [
                    self._told(term, include) for term in found[(number - 1) * size : number * size]
                ],
            }
        )

    def _told(self, term, include=""):
        told = {"@id": curie_iri(term.curie), "@type": "http://www.w3.org/2002/07/owl#Class"}
        told |= {"prefLabel": term.label, "obsolete": term.obsolete}
        if "synonym" in include:
            told["synonym"] = [text for _, text in term.synonyms]
        if "definition" in include:
            told["definition"] = [term.definition] if term.definition else []
        return told

    def _annotator(self, asked):
        if asked.method == "GET" and len(asked.place) > LONGEST_GET:
            return Given(500, b"")
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        text = asked.one("text") or form.get("text", "")
        if not text:
            wrong = "A text to be annotated must be supplied using the argument text=<text>"
            return given_json({"status": 400, "errors": [wrong]}, 400)
        hits = [hit for term in self.terms.values() for hit in self._hits(term, text)]
        if (asked.one("longest_only") or form.get("longest_only")) == "true":
            hits = [one for one in hits if not any(_within(one, other) for other in hits)]
        found = {}
        for curie, span in hits:
            named = {"@id": curie_iri(curie), "links": {}, "@context": {}}
            row = {"annotatedClass": named, "hierarchy": [], "annotations": [], "mappings": []}
            found.setdefault(curie, row)["annotations"].append(span)
        return given_json(list(found.values()))

    def _hits(self, term, text):
        for kind, name in (("PREF", term.label), *(("SYN", text) for _, text in term.synonyms)):
            for match in re.finditer(rf"\b{re.escape(name)}\b", text, re.IGNORECASE):
                span = {"from": match.start() + 1, "to": match.end(), "matchType": kind}
                yield term.curie, {**span, "text": match.group().upper()}

    def _class(self, match, asked):
        acronym, iri, what = match.groups()
        curie = next((c for c in self.terms if curie_iri(c) == iri), None)
        if curie is None or curie.partition(":")[0].upper() != acronym:
            return given_json({"status": 404, "errors": ["not found"]}, 404)
        if what is None:
            return given_json(self._told(self.terms[curie], asked.one("include")))
        if what == "mappings":
            other = self.mappings.get(curie, ())
            pairs = [{"classes": [{"@id": curie_iri(curie)}, {"@id": curie_iri(o)}]} for o in other]
            return given_json([{**pair, "source": "LOOM"} for pair in pairs])
        if what == "descendants":
            found = [t for t in self.terms.values() if curie in self._above(t.curie)]
            return self._page(found, asked)
        above = self.terms[curie].parents if what == "parents" else self._above(curie)
        return given_json([self._told(self.terms[c]) for c in above if c in self.terms])

    def _above(self, curie):
        found = []
        for parent in self.terms[curie].parents if curie in self.terms else ():
            found += [c for c in (parent, *self._above(parent)) if c not in found]
        return found


def _within(hit, other):
    one, two = hit[1], other[1]
    longer = two["to"] - two["from"] > one["to"] - one["from"]
    return longer and two["from"] <= one["from"] and one["to"] <= two["to"]
