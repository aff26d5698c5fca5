"""Licences as people and archives write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.words.licences import spdx


@pytest.mark.parametrize(
    ("text", "url", "expected"),
    [
        ("CC BY 4.0 ", "", "CC-BY-4.0"),
        ("CC BY 4", "", "CC-BY-4.0"),
        ("CC-BY-SA 3.0", "", "CC-BY-SA-3.0"),
        ("CC BY-NC-ND 4.0", "", "CC-BY-NC-ND-4.0"),
        ("cc-by-4.0", "", "CC-BY-4.0"),
        ("cc-by-nc-sa-4.0", "", "CC-BY-NC-SA-4.0"),
        ("CC0", "", "CC0-1.0"),
        ("CC0 1.0 Universal", "", "CC0-1.0"),
        ("cc-zero", "", "CC0-1.0"),
        ("Creative Commons Attribution 4.0 International", "", "CC-BY-4.0"),
        (
            "Creative Commons Attribution Non Commercial No Derivatives 4.0 International",
            "",
            "CC-BY-NC-ND-4.0",
        ),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported", "", "CC-BY-SA-3.0"),
        ("Creative Commons Zero v1.0 Universal", "", "CC0-1.0"),
        ("Data are shared under the CC BY 4.0 licence.", "", "CC-BY-4.0"),
        ("CC0 for data, CC BY 4.0 for images", "", "CC0 for data, CC BY 4.0 for images"),
        ("", "https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"),
        ("", "https://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("", "https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("", "http://creativecommons.org/licenses/by/3.0/de/", "CC-BY-3.0-DE"),
        (
            "",
            "https://creativecommons.org/licenses/by/2.1/jp/",
            "https://creativecommons.org/licenses/by/2.1/jp/",
        ),
        ("", "https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("CC BY 3.0", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC BY", "", "CC BY"),
        ("CC BY 9.7", "", "CC BY 9.7"),
        ("mit", "", "MIT"),
        ("MIT License", "", "MIT"),
        ("bsd-3-clause", "", "BSD-3-Clause"),
        ("etalab-2.0", "", "etalab-2.0"),
        ("", "https://opensource.org/licenses/MIT", "MIT"),
        ("", "https://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
        ("", "https://spdx.org/licenses/ODbL-1.0.html", "ODbL-1.0"),
        ("", "http://opendatacommons.org/licenses/by/1.0/", "ODC-By-1.0"),
        ("", "https://example.org/terms", "https://example.org/terms"),
        ("occupancy by 4.0", "", "occupancy by 4.0"),
        ("", "", ""),
    ],
)
def test_licences(text: str, url: str, expected: str) -> None:
    assert spdx(text, url) == expected


@given(st.text(max_size=80))
def test_any_words_are_read_or_kept(text: str) -> None:
    found = spdx(text)
    assert found == text.strip() or spdx(found) == found


def test_an_endless_text_is_read_quickly() -> None:
    text = "cc-by-" * 200_000
    assert spdx(text) == text
