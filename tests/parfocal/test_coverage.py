"""Which fields records fill."""

from parfocal.testing.coverage import filled
from parfocal.testing.records import all_samples, study


def test_levels_of_fields_of_the_model_and_of_search() -> None:
    found = filled(all_samples())
    assert found["title"] == {"study", "container", "image"}
    assert "study" in found["publications"]
    assert found["channels"] == {"image"}
    assert "image" in found["search:pixel_size_x"]
    assert "study" in found["search:imaging_method"]


def test_what_stands_at_its_default_is_not_filled() -> None:
    assert "ome_type" in filled([study()])
    assert {"well", "roi_count", "access"}.isdisjoint(filled([study()]))
