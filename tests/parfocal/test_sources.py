import pytest

from parfocal.config import SourceSettings
from parfocal.errors import ConfigError, PluginMissing
from parfocal.sources import make_source, presets


def source(**table):
    return make_source(SourceSettings.model_validate({"name": "a", **table}))


def test_a_kind_gets_its_own_options(tmp_path):
    made = source(kind="idr-studies", path=str(tmp_path))
    assert type(made).__name__ == "IdrStudies"


def test_a_preset_gives_the_kind(tmp_path):
    assert "idr" in presets()
    assert type(source(preset="idr", path=str(tmp_path))).__name__ == "IdrStudies"


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ({"path": "x"}, "has no kind", "idr-studies"),
        ({"kind": "local"}, "path", "settings of kind local"),
        ({"kind": "local", "path": "x", "colour": 1}, "colour: unknown setting", "path"),
        ({"kind": "local"}, "^source 'a': path: must be set$", "path"),
        ({"kind": "oai-pmh", "url": "ftp://x"}, "^source 'a': url: is no http address$", "url"),
        ({"kind": "datacite"}, "^source 'a': set client, prefix or query", "prefix"),
        ({"preset": "nonsense"}, "no preset 'nonsense'", "idr"),
    ],
)
def test_what_is_wrong_is_named(table, message, hint):
    with pytest.raises(ConfigError, match=message) as caught:
        source(**table)
    assert hint in caught.value.hint


def test_unknown_kind_lists_what_there_is():
    with pytest.raises(PluginMissing) as caught:
        source(kind="nonsense", path="x")
    assert "local" in caught.value.hint
