"""An OLS4 server on paper: search and HAL lists of terms, with the real one's traps."""

from urllib.parse import quote, unquote

from parfocal.identifiers import curie_iri
from parfocal.testing.loopback import Given, given_json

BASE = "/ols4/api"
MOST_A_PAGE = 2


class Ols:
    """Holds terms as ``TermInfo``; every one is also told by an ontology that imports it."""

    def __init__(self, terms=(), files=None):
        self.terms = {term.curie: term for term in terms}
        self.files = files or {}

    def answer(self, asked):
        path = asked.path.removeprefix(BASE)
        if path in self.files:
            return Given(200, self.files[path], "text/plain")
        if path == "/search":
            return self._search(asked)
        parts = path.strip("/").split("/", 3)
        if len(parts) == 2 and parts[0] == "ontologies":
            return self._ontology(parts[1], asked)
        if len(parts) == 4 and parts[2] == "terms":
            return self._terms(parts[1], parts[3], asked)
        return given_json({"status": 404, "error": "Not Found"}, 404)

    def _ontology(self, name, asked):
        address = f"http://{asked.headers['host']}{BASE}/files/{name}.obo"
        return given_json({"ontologyId": name, "config": {"id": name, "fileLocation": address}})

    def _search(self, asked):
        wanted = asked.one("q").lower()
        exact = asked.one("exact") == "true"
        docs = []
        for term in self.terms.values():
            names = [term.label.lower(), *(text.lower() for _, text in term.synonyms)]
            hit = wanted in names if exact else any(wanted in name for name in names)
            dead = term.obsolete and asked.one("obsoletes", "false") == "false"
            if hit and not dead:
                docs += self._docs(term, asked)
        rows = int(asked.one("rows", "10"))
        found = {"numFound": len(docs), "start": 0, "docs": docs[:rows]}
        return given_json(
            {
                "responseHeader": {"status": 0, "QTime": 5},
                "response": found,
                "facet_counts": {"facet_fields": {"ontologyId": ["efo", str(len(docs))]}},
            }
        )

    def _docs(self, term, asked):
        home = term.curie.partition(":")[0].lower()
        alone = asked.one("local") == "true" or asked.one("groupField") == "iri"
        fields = asked.one("fieldList").split(",") if asked.one("fieldList") else None
        for ontology in (home,) if alone else (home, "efo"):
            doc = {
                "iri": curie_iri(term.curie),
                "ontology_name": ontology,
                "obo_id": term.curie,
                "short_form": term.curie.replace(":", "_"),
                "label": term.label,
                "description": [term.definition] if term.definition else [],
                "type": "class",
            }
            if fields and "synonym" in fields:
                doc["synonym"] = [text for _, text in term.synonyms]
            yield doc

    def _terms(self, ontology, rest, asked):
        encoded, _, what = rest.partition("/")
        if "%" not in encoded:  # it was encoded once only
            return given_json({"status": 404, "error": "Not Found"}, 404)
        curie = next((c for c in self.terms if curie_iri(c) == unquote(encoded)), None)
        if curie is None or curie.partition(":")[0].lower() != ontology:
            return given_json({"status": 404, "error": "Not Found"}, 404)
        if not what:
            return given_json(self._hal(self.terms[curie]))
        found = {
            "parents": self._parents,
            "ancestors": self._ancestors,
            "descendants": lambda c: [d for d in self.terms if c in self._ancestors(d)],
        }[what](curie)
        return self._page(found, asked)

    def _page(self, found, asked):
        size, number = min(int(asked.one("size", "20")), MOST_A_PAGE), int(asked.one("page", "0"))
        rows = found[number * size : (number + 1) * size]
        page = {
            "size": size,
            "totalElements": len(found),
            "totalPages": -(-len(found) // size),
            "number": number,
        }
        told = {"page": page, "_links": {}}
        if rows:
            told["_embedded"] = {"terms": [self._hal(self.terms[c]) for c in rows]}
        return given_json(told)

    def _parents(self, curie):
        return [parent for parent in self.terms[curie].parents if parent in self.terms]

    def _ancestors(self, curie):
        found = []
        for parent in self._parents(curie):
            found += [c for c in (parent, *self._ancestors(parent)) if c not in found]
        return found

    def _hal(self, term):
        twice = quote(quote(curie_iri(term.curie), safe=""), safe="")
        return {
            "iri": curie_iri(term.curie),
            "lang": "en",
            "label": term.label,
            "description": [term.definition] if term.definition else [],
            "synonyms": [text for _, text in term.synonyms],
            "obo_synonym": [
                {"name": text, "scope": f"has{scope.title()}Synonym"}
                for scope, text in term.synonyms
            ],
            "is_obsolete": term.obsolete,
            "term_replaced_by": term.replaced_by[0] if term.replaced_by else None,
            "short_form": term.curie.replace(":", "_"),
            "obo_id": term.curie,
            "obo_xref": [{"database": "MESH", "id": "D009369"}],
            "_links": {"self": {"href": f"{BASE}/terms/{twice}"}},
        }
