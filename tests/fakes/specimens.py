"""The archive of docs/add-an-archive.md: a list by pages, newest first, and images with ETags."""

from __future__ import annotations

import hashlib
import json

from parfocal.testing.loopback import Asked, Given, given_json

SIZE = 3


class FakeSpecimens:
    def __init__(self, count: int = 8) -> None:
        self.images = {f"s{number}": self.image(number) for number in range(1, count + 1)}
        self.number = count
        self.how = ""

    @staticmethod
    def image(number: int) -> dict[str, str]:
        return {
            "id": f"s{number}",
            "title": f"Section {number}",
            "made": f"2020-01-{number:02}",
            "Stain": "DAPI",
        }

    def add(self) -> None:
        self.number += 1
        self.images[f"s{self.number}"] = self.image(self.number)

    def change(self) -> None:
        image = self.images[min(self.images)]
        image["title"] += " again"

    def remove(self) -> None:
        del self.images[list(self.images)[-1]]

    def misbehave(self, how: str) -> None:
        self.how = how

    def answer(self, asked: Asked) -> Given:
        if asked.path == "/api/images":
            return given_json(self.page(int(asked.one("page", "1"))))
        image = self.images.get(asked.path.removeprefix("/api/images/"))
        if image is None:
            return given_json({"error": "no such image"}, 404)
        content = json.dumps(image).encode()
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        if asked.headers.get("if-none-match") == tag:
            return Given(304, headers=(("ETag", tag),))
        return Given(200, content, headers=(("ETag", tag),))

    def page(self, number: int) -> dict[str, object]:
        keys = list(reversed(self.images))
        if self.how == "empty":
            return {"total": 0, "images": []}
        if self.how == "duplicate-page" and number > 1:
            number -= 1
        if self.how == "endless-next":
            number = min(number, len(keys) // SIZE)
        shown = keys[(number - 1) * SIZE : number * SIZE]
        return {"total": len(keys), "images": [{"id": key} for key in shown]}
