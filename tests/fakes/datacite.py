"""A DataCite REST service on loopback, with the quirks of the real one.

PUT creates (201) or updates (200); unknown events and impossible transitions change nothing and say
nothing; metadata are demanded only of registered and findable DOIs; DELETE removes drafts only;
DOIs are lower case; a wrong password is 401.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

USER = "EXAMPLE.LAB"
PASSWORD = "correct horse"
PREFIX = "10.5072"
_MOVES = {
    ("draft", "register"): "registered",
    ("draft", "publish"): "findable",
    ("registered", "publish"): "findable",
    ("registered", "show"): "findable",
    ("findable", "hide"): "registered",
}
_DEMANDED = ("url", "creators", "titles", "publisher", "publicationYear", "types")


class FakeDatacite:
    """The service; ``dois`` maps each DOI to its attributes, ``failures`` are answered first."""

    def __init__(self) -> None:
        self.dois: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.failures: list[int] = []
        self.ignores_publish = False
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self, "GET")

            def do_PUT(self) -> None:
                fake.answer(self, "PUT")

            def do_DELETE(self) -> None:
                fake.answer(self, "DELETE")

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> FakeDatacite:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        length = int(request.headers.get("content-length") or 0)
        body = request.rfile.read(length)
        with self._lock:
            self.requests.append((method, request.path))
            code, content = self.respond(request, method, body)
        data = b"" if content is None else json.dumps(content).encode()
        request.send_response(code)
        request.send_header("content-type", "application/vnd.api+json; charset=utf-8")
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def respond(
        self, request: BaseHTTPRequestHandler, method: str, body: bytes
    ) -> tuple[int, dict[str, Any] | None]:
        if self.failures:
            return self.failures.pop(0), {"errors": [{"status": "500", "title": "Sorry."}]}
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != wanted:
            return 401, {"errors": [{"status": "401", "title": "Bad credentials."}]}
        doi = unquote(request.path).removeprefix("/dois/").lower()
        if method == "PUT":
            return self.put(doi, body)
        if doi not in self.dois:
            title = "The resource you are looking for doesn't exist."
            return 404, {"errors": [{"status": "404", "title": title}]}
        if method == "DELETE":
            if self.dois[doi]["state"] != "draft":
                return 405, {"errors": [{"status": "405", "title": "Method not allowed"}]}
            del self.dois[doi]
            return 204, None
        return 200, self.document(doi)

    def put(self, doi: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            asked = json.loads(body)["data"]["attributes"]
        except (ValueError, KeyError):
            return 400, {"errors": [{"status": "400", "title": "You need to provide a payload."}]}
        if not doi.startswith(f"{PREFIX}/"):
            return 403, {"errors": [{"status": "403", "title": "Not authorized."}]}
        created = doi not in self.dois
        before = self.dois.get(doi, {"state": "draft"})
        event = "" if self.ignores_publish else asked.get("event", "")
        state = _MOVES.get((before["state"], event), before["state"])
        after = {**before, **asked, "state": state}
        missing = [name for name in _DEMANDED if not after.get(name)]
        if state != "draft" and missing:
            errors = [{"source": name, "title": "can't be blank", "uid": doi} for name in missing]
            return 422, {"errors": errors}
        after.pop("event", None)
        self.dois[doi] = after
        return (201 if created else 200), self.document(doi)

    def document(self, doi: str) -> dict[str, Any]:
        return {"data": {"id": doi, "type": "dois", "attributes": self.dois[doi]}}
