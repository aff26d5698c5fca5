"""What every way to write a record must do."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from parfocal.model import Record
from parfocal.testing.records import BASE, all_samples, study
from parfocal.values import Format


class FormatContract(ABC):
    """Run for each format."""

    @pytest.fixture
    @abstractmethod
    def format(self) -> Format:
        """Return the format."""

    @abstractmethod
    def read(self, content: bytes) -> object:
        """Read what the format wrote with a reader that is not ours; raise when it is malformed."""

    @pytest.mark.parametrize("record", all_samples(), ids=lambda record: str(record.id))
    def test_every_sample_is_well_formed(self, format: Format, record: Record) -> None:
        assert self.read(format.dump(record, BASE))

    def test_it_has_a_name_type_and_suffix(self, format: Format) -> None:
        assert format.name
        assert "/" in format.media_type
        assert format.suffix.startswith(".")

    def test_the_same_record_gives_the_same_bytes(self, format: Format) -> None:
        assert format.dump(study(), BASE) == format.dump(study(), BASE)

    def test_the_content_tells_the_title_and_the_iri(self, format: Format) -> None:
        content = format.dump(study(), BASE).decode()
        assert "How cells divide when a gene is silenced" in content
        assert "archive:mitosis" in content
