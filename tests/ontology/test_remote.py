import pytest
from click.testing import CliRunner

from ontology import bioportal, ols, web
from ontology.cli import ontology
from ontology.remote import Remote, open_remote
from ontology.terms import SqliteTermStore, open_terms
from ontology.web import Web
from parfocal.config import Settings
from parfocal.errors import ConfigError, SourceMalformed, SourceRefused, SourceUnavailable
from parfocal.testing.loopback import Fault, Given, serve
from parfocal.testing.terms import term
from tests.fakes.bioportal import BioPortal as FakeBioPortal
from tests.fakes.ols import Ols as FakeOls

TERMS = (
    term("CL:0", "cell"),
    term("CL:1", "neural cell", "CL:0"),
    term("CL:2", "neuron", "CL:1", synonyms=(("EXACT", "nerve cell"), ("RELATED", "neurone"))),
    term("CL:3", "motor neuron", "CL:2"),
    term("CL:4", "pyramidal neuron", "CL:2"),
    term("CL:5", "old neuron", obsolete=True, replaced_by=("CL:2",)),
)
NAMES = ("ols", "bioportal")


class Kept:
    """A service with its fake, its server and the waits that were asked for."""

    def __init__(self, name, fake, server, path):
        self.name, self.fake, self.server, self.path = name, fake, server, path
        self.waits = []

    def remote(self, *, days=1.0, offline=False, key="right"):
        base = self.server.url + ("/ols4/api" if self.name == "ols" else "")
        headers = {"Authorization": f"apikey token={key}"} if self.name == "bioportal" else {}
        asks = Web(base, headers=headers, timeout=5, sleep=self.waits.append)
        made = ols.Ols(asks) if self.name == "ols" else bioportal.BioPortal(asks)
        return Remote(made, asks, self.path, days, offline=offline)


@pytest.fixture(params=NAMES)
def kept(request, tmp_path):
    yield from made(request.param, tmp_path)


@pytest.fixture
def portal(tmp_path):
    yield from made("bioportal", tmp_path)


@pytest.fixture
def lookup(tmp_path):
    yield from made("ols", tmp_path)


def made(name, folder):
    fake = FakeOls(TERMS) if name == "ols" else FakeBioPortal(TERMS)
    path = folder / "terms.sqlite"
    SqliteTermStore(path).close()
    with serve(fake) as server:
        yield Kept(name, fake, server, path)


def test_search_finds_each_term_once(kept):
    found = kept.remote().search("neuron", ["cl"])
    assert [each.curie for each in found][:3] == ["CL:2", "CL:3", "CL:4"]
    assert "CL:5" not in {each.curie for each in found}
    assert ("EXACT", "nerve cell") in found[0].synonyms


def test_exact_search_knows_synonyms(kept):
    found = kept.remote().search("Nerve cell", exact=True)
    assert [each.curie for each in found] == ["CL:2"]


def test_a_term_comes_with_its_parents(kept):
    found = kept.remote().term("CL:2")
    assert (found.label, found.parents) == ("neuron", ("CL:1",))
    assert kept.remote().term("CL:99") is None
    assert kept.remote().term("CL:5").obsolete


def test_what_lies_above_and_below_is_read_over_all_pages(kept):
    remote = kept.remote()
    assert remote.ancestors("CL:3") == {"CL:0", "CL:1", "CL:2"}
    assert remote.descendants("CL:0") == {"CL:1", "CL:2", "CL:3", "CL:4"}


def test_answers_are_remembered_until_they_expire(kept):
    assert kept.remote().term("CL:2") == kept.remote().term("CL:2")
    asked = len(kept.server.asked)
    kept.remote().term("CL:2")
    assert len(kept.server.asked) == asked
    kept.remote(days=-1.0).descendants("CL:2")
    asked = len(kept.server.asked)
    kept.remote().descendants("CL:2")
    assert len(kept.server.asked) > asked


def test_offline_gives_what_was_remembered_however_old(kept):
    found = kept.remote(days=-1.0).term("CL:2")
    asked = len(kept.server.asked)
    offline = kept.remote(offline=True)
    assert offline.term("CL:2") == found
    with pytest.raises(SourceUnavailable, match="offline"):
        offline.term("CL:3")
    with pytest.raises(SourceUnavailable, match="offline"):
        offline.download("cl", kept.path.with_name("x"))
    assert len(kept.server.asked) == asked


@pytest.mark.parametrize("kind", ["503", "429", "429-retry-after", "reset"])
def test_what_fails_once_is_asked_again(kept, kind):
    kept.server.faults.append(Fault(kind))
    assert kept.remote().term("CL:2").label == "neuron"
    assert kept.waits == [1.0]


def test_what_keeps_failing_is_left_alone_for_a_while(kept):
    kept.server.faults.append(Fault("503", times=100))
    remote = kept.remote()
    assert not remote.rests()
    with pytest.raises(SourceUnavailable, match="status 503"):
        remote.term("CL:2")
    assert remote.rests()
    assert len(kept.server.asked) == 4


def test_a_web_page_is_no_answer(kept):
    kept.server.faults.append(Fault("html", times=9))
    with pytest.raises(SourceMalformed, match="web page"):
        kept.remote().term("CL:2")


def test_redirects_to_elsewhere_are_refused_and_get_no_key(portal):
    with serve(FakeOls()) as other:
        portal.server.alter = lambda asked, given: Given(
            302, b"", headers=(("Location", other.url + "/search"),)
        )
        with pytest.raises(SourceRefused, match="another host"):
            portal.remote().term("CL:2")
        assert other.asked == []


def test_a_download_is_not_led_into_the_own_network(portal, tmp_path):
    with serve(FakeOls()) as other:
        portal.server.alter = lambda asked, given: Given(
            302, b"", headers=(("Location", other.url + "/file"),)
        )
        with pytest.raises(SourceRefused, match="not public"):
            portal.remote().download("CL", tmp_path / "cl.obo")
        assert other.asked == []


def test_expired_key_is_said_to_be_refused(portal):
    with pytest.raises(SourceRefused, match="refuses the key") as error:
        portal.remote(key="old").term("CL:2")
    assert "api_key" in error.value.hint
    assert "old" not in str(error.value)


def test_a_grant_that_is_used_up_is_waited_for(portal):
    left = (("RateLimit-Remaining", "0"), ("RateLimit-Reset", "3"))
    portal.server.alter = lambda asked, given: Given(
        given.status, given.content, given.media_type, left
    )
    portal.remote().search("neuron")
    assert portal.waits == [3.0]


def test_texts_are_annotated_with_places_counted_from_nothing(portal):
    text = "Ein motor neuron. " + "word " * 3000 + "nerve cell"
    found = portal.remote().annotate(text, ["cl"])
    assert [(each.term, each.text, each.method) for each in found] == [
        ("CL:3", "motor neuron", "label"),
        ("CL:2", "nerve cell", "synonym"),
    ]
    assert all(text[each.start : each.end] == each.text for each in found)
    assert {asked.method for asked in portal.server.asked} == {"POST"}
    assert len(portal.server.asked) == 2


def test_ols_reads_no_texts(lookup):
    with pytest.raises(SourceRefused, match="no texts"):
        lookup.remote().annotate("neuron")


def test_mappings_lead_to_other_ontologies(portal, lookup):
    portal.fake.mappings["CL:2"] = ("EFO:1",)
    assert portal.remote().mappings("CL:2") == ("EFO:1",)
    assert lookup.remote().mappings("CL:2") == ("MESH:D009369",)


def test_latest_submission_is_downloaded(portal, lookup, tmp_path, monkeypatch):
    portal.fake.files["CL"] = b"format-version: 1.2\n"
    portal.remote().download("cl", tmp_path / "a.obo")
    assert (tmp_path / "a.obo").read_bytes() == b"format-version: 1.2\n"
    lookup.fake.files["/files/cl.obo"] = b"ontology: cl\n"
    lookup.remote().download("CL", tmp_path / "b.obo")
    assert (tmp_path / "b.obo").read_bytes() == b"ontology: cl\n"


def test_unknown_term_is_asked_for_once_and_kept(lookup, tmp_path):
    remote = {"service": "ols", "url": lookup.server.url + "/ols4/api"}
    settings = Settings(data_dir=tmp_path, ontology={"bundled": False, "remote": remote})
    store = open_terms(settings)
    version = store.version()
    assert store.get("CL:2").label == "neuron"
    assert store.get("note:1") is None
    store.close()
    asked = len(lookup.server.asked)
    again = open_terms(settings)
    assert [match.curie for match in again.find("nerve cell")] == ["CL:2"]
    assert again.ancestors("CL:2") == {"CL:1"}
    assert again.get("CL:2").label == "neuron"
    assert again.version() == version
    assert [(one.name, one.terms) for one in again.ontologies()] == [("remote", 1)]
    again.close()
    assert len(lookup.server.asked) == asked


def test_service_that_fails_leaves_a_term_unknown(lookup, tmp_path):
    lookup.server.faults.append(Fault("404", times=9))
    remote = {"service": "ols", "url": lookup.server.url + "/ols4/api"}
    store = open_terms(Settings(data_dir=tmp_path, ontology={"bundled": False, "remote": remote}))
    assert store.get("CL:2") is None
    store.close()


def test_what_is_missing_in_the_settings_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no remote service"):
        open_remote(Settings(), tmp_path / "t.sqlite")
    with pytest.raises(ConfigError, match="needs a key"):
        open_remote(Settings(ontology={"remote": {"service": "bioportal"}}), tmp_path / "t.sqlite")


def test_addresses_are_shown_without_keys():
    assert (
        web.shown("https://a.example/x?q=1&apikey=secret") == "https://a.example/x?q=1&apikey=***"
    )


@pytest.mark.corpus
def test_recorded_answers_of_ols_are_understood(corpus):
    import json

    seen = 0
    for path in sorted((corpus / "api" / "ols4").rglob("terms/*.json")):
        told = ols._term(json.loads(path.read_text()))
        if told is not None:
            seen += 1
            assert told.label or told.obsolete, path
    assert seen > 150


def test_find_asks_the_service_and_says_what_it_refuses(portal, tmp_path, monkeypatch):
    remote = {
        "service": "bioportal",
        "url": portal.server.url,
        "api_key": "env:PORTAL_KEY",
        "offline": False,
    }
    settings = Settings(data_dir=tmp_path, ontology={"bundled": False, "remote": remote})
    monkeypatch.setenv("PORTAL_KEY", "right")
    found = CliRunner().invoke(ontology, ["find", "nerve cell", "--remote"], obj=settings)
    assert "CL:2" in found.output
    assert "bioportal" in found.output
    monkeypatch.setenv("PORTAL_KEY", "expired")
    refused = CliRunner().invoke(ontology, ["find", "neuron", "--remote"], obj=settings)
    assert isinstance(refused.exception, SourceRefused)
    assert "expired" not in str(refused.exception)
