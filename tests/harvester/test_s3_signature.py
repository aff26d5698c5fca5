"""Signatures, against those of the reference implementation."""

from __future__ import annotations

import datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from harvester.s3.signature import Keys, signed

NOW = datetime.datetime(2026, 3, 1, 12, 0, 5, tzinfo=datetime.UTC)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\\"),
    min_size=1,
    max_size=12,
)


@given(st.lists(words, min_size=1, max_size=4), st.dictionaries(words, words, max_size=3), words)
def test_signs_as_botocore_does(path: list[str], query: dict[str, str], token: str) -> None:
    auth = pytest.importorskip("botocore.auth")
    requests = pytest.importorskip("botocore.awsrequest")
    credentials = pytest.importorskip("botocore.credentials")
    token = quote(token, safe="")
    key = "/".join(part for part in path if part not in (".", ".."))
    pairs = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in sorted(query.items()))
    text = f"https://h.example:9000/bucket/{quote(key, safe='/~')}?{pairs}"
    ours = signed("GET", URL(text, encoded=True), {}, Keys("AK", "SK", token), "eu-west-1", NOW)

    reference = auth.S3SigV4Auth(credentials.Credentials("AK", "SK", token), "s3", "eu-west-1")
    request = requests.AWSRequest("GET", text)
    request.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = token
    request.context["timestamp"] = ours["x-amz-date"]
    canonical = reference.canonical_request(request)
    signature = reference.signature(reference.string_to_sign(request, canonical), request)
    assert ours["Authorization"].endswith(f"Signature={signature}")


def test_keys_are_never_printed() -> None:
    keys = Keys("access-word", "secret-word", "token-word")
    assert not any(
        word in f"{keys!r} {keys}" for word in ("access-word", "secret-word", "token-word")
    )
