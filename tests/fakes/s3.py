"""An S3 service on loopback: ListObjectsV2 with tokens, objects, ranges, ETags, its XML errors."""

from __future__ import annotations

import hashlib
import json
import re
from email.utils import formatdate
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from parfocal.testing.loopback import Asked, Given

_MODIFIED = formatdate(1_700_000_000, usegmt=True)
_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def etag_of(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def error(status: int, code: str, message: str = "", extra: str = "") -> Given:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
    text += f"<Message>{escape(message or code)}</Message>{extra}<RequestId>42</RequestId></Error>"
    return Given(status, text.encode(), "application/xml")


class FakeS3:
    """One bucket, addressed by path. ``most_keys`` is the server's own limit of a page."""

    def __init__(self, bucket: str = "images", *, most_keys: int = 1000) -> None:
        self.bucket = bucket
        self.most_keys = most_keys
        self.objects: dict[str, bytes] = {}
        self.denied: tuple[str, ...] = ()
        self.region = ""
        self.moved_to = ""
        self.skewed = False
        self.ignores_ranges = False
        self.fails: dict[str, Given] = {}
        self._how = ""
        self._added = 0

    # ------------------------------------------------------------------ the world

    def put(self, key: str, content: bytes | dict[str, Any]) -> None:
        self.objects[key] = content if isinstance(content, bytes) else json.dumps(content).encode()

    def put_image(self, path: str, name: str = "image", *, chunks: int = 3) -> None:
        """Store an image of OME-Zarr 0.5, with some chunks that nobody should look at."""
        self.put(f"{path}/zarr.json", image_group(name))
        self.put(f"{path}/0/zarr.json", image_array())
        for number in range(chunks):
            self.put(f"{path}/0/c/0/{number}", b"pixels")

    def add(self) -> None:
        self._added += 1
        self.put_image(f"a/0added{self._added}.zarr", f"added {self._added}")

    def change(self) -> None:
        key = next(key for key in sorted(self.objects) if key.endswith(".zarr/zarr.json"))
        self._added += 1
        self.put(key, image_group(f"changed {self._added}"))

    def remove(self) -> None:
        key = max(key for key in self.objects if key.endswith(".zarr/zarr.json"))
        root = key.removesuffix("zarr.json")
        self.objects = {k: v for k, v in self.objects.items() if not k.startswith(root)}

    def misbehave(self, how: str) -> None:
        self._how = how

    # ------------------------------------------------------------------ answers

    def answer(self, asked: Asked) -> Given:
        _, bucket, *rest = asked.path.split("/", 2)
        key = rest[0] if rest else ""
        if self.moved_to:
            place = self.moved_to + asked.path
            return Given(307, b"", "application/xml", (("Location", place),))
        if self.region and f"/{self.region}/s3/" not in asked.headers.get("authorization", ""):
            told = (("x-amz-bucket-region", self.region),)
            return Given(301, error(301, "PermanentRedirect").content, "application/xml", told)
        if self.skewed and asked.headers.get("x-amz-date", "") < "2028":
            return error(403, "RequestTimeTooSkewed")
        if bucket != self.bucket:
            return error(404, "NoSuchBucket")
        if not key:
            return self._list(asked)
        return self._object(asked, key)

    def _list(self, asked: Asked) -> Given:
        prefix = asked.one("prefix")
        if any(prefix.startswith(denied) for denied in self.denied):
            return error(403, "AccessDenied", "Access Denied")
        token = asked.one("continuation-token")
        if token and (self._how == "expired" or not token.startswith("t:")):
            return error(400, "InvalidArgument", "The continuation token provided is incorrect")
        after = bytes.fromhex(token[2:]).decode() if token else asked.one("start-after")
        return Given(200, self._page(asked, prefix, after).encode(), "application/xml")

    def _entries(self, prefix: str, delimiter: str) -> list[str]:
        found: dict[str, None] = {}
        for key in sorted(self.objects, key=str.encode):
            if key.startswith(prefix) and self._how != "empty":
                inner = key[len(prefix) :]
                cut = inner.find(delimiter) if delimiter else -1
                found[prefix + inner[: cut + 1] if cut >= 0 else key] = None
        return list(found)

    def _page(self, asked: Asked, prefix: str, after: str) -> str:
        delimiter = asked.one("delimiter")
        # A folder is listed again when what lies behind start-after is partly within it.
        entries = [
            entry
            for entry in self._entries(prefix, delimiter)
            if entry > after or (entry.endswith("/") and after.startswith(entry) and after != entry)
        ]
        size = min(self.most_keys, int(asked.one("max-keys", "1000")))
        page, more = entries[:size], len(entries) > size
        position = page[-1] if page else ""
        if self._how == "duplicate-page" and more and not asked.one("continuation-token"):
            position = after
            self._how = "duplicated"
        if self._how == "endless-next":
            page, more, position = entries[:size] or page, True, after
        coded = asked.one("encoding-type") == "url"
        return list_xml(self.bucket, self.objects, page, coded, position if more else None)

    def _object(self, asked: Asked, key: str) -> Given:
        if key in self.fails:
            return self.fails[key]
        if any(key.startswith(denied) for denied in self.denied):
            return error(403, "AccessDenied", "Access Denied")
        content = self.objects.get(key)
        if content is None:
            return error(404, "NoSuchKey")
        headers = (("ETag", etag_of(content)), ("Last-Modified", _MODIFIED))
        if asked.headers.get("if-none-match") == etag_of(content):
            return Given(304, b"", "binary/octet-stream", headers)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if match and not self.ignores_ranges:
            start, end = int(match[1]), min(int(match[2]), len(content) - 1)
            if start >= len(content):
                return error(416, "InvalidRange")
            told = ("Content-Range", f"bytes {start}-{end}/{len(content)}")
            part = content[start : end + 1]
            return Given(206, part, "binary/octet-stream", (*headers, told))
        return Given(200, content, "binary/octet-stream", headers)


def list_xml(
    bucket: str, objects: dict[str, bytes], page: list[str], coded: bool, position: str | None
) -> str:
    def named(key: str) -> str:
        return quote(key, safe="/") if coded else escape(key)

    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{_SPACE}">']
    parts.append(f"<Name>{bucket}</Name><KeyCount>{len(page)}</KeyCount>")
    parts.append("<EncodingType>url</EncodingType>" if coded else "")
    parts.append(f"<IsTruncated>{str(position is not None).lower()}</IsTruncated>")
    if position is not None:
        token = f"t:{position.encode().hex()}"
        parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    for entry in page:
        if entry in objects:
            content = objects[entry]
            parts.append(
                f"<Contents><Key>{named(entry)}</Key><LastModified>2023-11-14T22:13:20.000Z"
                f"</LastModified><ETag>{escape(etag_of(content))}</ETag>"
                f"<Size>{len(content)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
        else:
            parts.append(f"<CommonPrefixes><Prefix>{named(entry)}</Prefix></CommonPrefixes>")
    return "".join([*parts, "</ListBucketResult>"])


# ------------------------------------------------------------------ documents


def multiscales(name: str, version: str = "") -> dict[str, Any]:
    scale = {"type": "scale", "scale": [1.0, 0.25, 0.5]}
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    held = {
        "name": name,
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    return held | ({"version": version} if version else {})


def image_group(name: str, version: str = "0.5", **more: Any) -> dict[str, Any]:
    ome = {"version": version, "multiscales": [multiscales(name)], **more}
    return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}


def image_array(shape: tuple[int, ...] = (2, 64, 32)) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "uint16",
        "dimension_names": ["c", "y", "x"],
    }


def group(**ome: Any) -> dict[str, Any]:
    attributes = {"ome": {"version": "0.5", **ome}}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def put_plate(bucket: FakeS3, path: str, wells: tuple[str, ...] = ("A/1", "B/2")) -> None:
    """Store a plate of OME-Zarr 0.5 with two fields in each well."""
    plate = {"name": "screen 7", "wells": [{"path": well} for well in wells]}
    bucket.put(f"{path}/zarr.json", group(plate=plate))
    for well in wells:
        images = [{"path": "0"}, {"path": "1"}]
        bucket.put(f"{path}/{well}/zarr.json", group(well={"images": images}))
        for field in ("0", "1"):
            bucket.put_image(f"{path}/{well}/{field}", f"{well} {field}")
