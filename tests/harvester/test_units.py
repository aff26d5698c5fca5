"""Numbers with units as archives and microscopes write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.words.units import quantity
from parfocal.field_values import micrometres
from parfocal.model import Quantity


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.65, "MICROMETER", Quantity(0.65, "µm")),
        (0.65, "\u03bcm", Quantity(0.65, "µm")),
        ("0.65", "um", Quantity(0.65, "µm")),
        ("0,65 micron", "", Quantity(0.65, "µm")),
        ("1.5e-3mm", "", Quantity(0.0015, "mm")),
        ("488 nm", "µm", Quantity(488.0, "nm")),
        (2, "ANGSTROM", Quantity(2.0, "Å")),
        (3, "SECOND", Quantity(3.0, "s")),
        ("100 ms", "", Quantity(100.0, "ms")),
        (37, "°C", Quantity(37.0, "°C")),
        ("-5", "pixel", Quantity(-5.0, "pixel")),
        (1, "REFERENCEFRAME", Quantity(1.0, "reference frame")),
        (25, "fps", Quantity(25.0, "fps")),
        (300, "dpi", Quantity(300.0, "dpi")),
        ("3 of 4", "", Quantity(3.0, "of 4")),
        (3, "", None),
        ("", "µm", None),
        ("nan", "µm", None),
        ("1e999", "µm", None),
        (True, "µm", None),
        (None, "µm", None),
    ],
)
def test_quantities(value: object, unit: str, expected: Quantity | None) -> None:
    assert quantity(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (200, "nm", 0.2),
        (1, "inch", 25400.0),
        (2, "furlong", 2 * 201168402.337),
        (1, "MILLIMETER", 1000.0),
        (1, "pt", 25400 / 72),
        (1, "s", None),
        (1, "pixel", None),
        (1, "m**9999999", None),
        (1, "", None),
    ],
)
def test_lengths_become_micrometres(value: float, unit: str, expected: float | None) -> None:
    assert micrometres(value, unit) == (expected and pytest.approx(expected))


@pytest.mark.parametrize("unit", ["ANGSTROM", "NANOMETER", "micron", "MILLIMETER", "inch", "pm"])
def test_a_symbol_means_what_was_written(unit: str) -> None:
    read = quantity(2, unit)
    assert read is not None
    assert micrometres(read.value, read.unit) == pytest.approx(micrometres(2, unit))


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers()), st.text(max_size=40))
def test_anything_is_read_or_refused(value: object, unit: str) -> None:
    read = quantity(value, unit)
    assert read is None or (math.isfinite(read.value) and read.unit)
