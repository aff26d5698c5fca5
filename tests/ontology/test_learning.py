import msgspec
from click.testing import CliRunner

from ontology.annotate import ValueAnnotator
from ontology.learned import Mappings, taught_by
from ontology.learning import learn
from parfocal.catalogue import Catalogue
from parfocal.cli import root
from parfocal.config import Settings
from parfocal.identifiers import Curie, record_id
from parfocal.knowledge import learned_file, open_knowledge
from parfocal.model import Access, Annotation, Dataset, Image, Provenance
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import well
from parfocal.testing.terms import TAXA, term

TERMS = (*TAXA, term("CMPO:1", "round cell phenotype"), term("CMPO:2", "flat cell phenotype"))


def study(name, access=()):
    return Dataset(
        id=record_id("s", name),
        ome_type="Study",
        access=Access(access),
        provenance=Provenance("s", name),
    )


def image(name, in_study, text, curie, method="curated", access=()):
    score = 1.0 if method == "curated" else 0.9
    claim = Annotation("phenotype", text, Curie(curie), "", method, score, "curator")
    return Image(
        id=record_id("s", name),
        part_of=record_id("s", in_study),
        access=Access(access),
        provenance=Provenance("s", name),
        annotations=(claim,),
    )


RECORDS = (
    study("one"),
    study("two"),
    study("secret", ("lab",)),
    image("a", "one", "blob", "CMPO:1"),
    image("b", "one", "Blobs", "CMPO:1"),
    image("c", "two", "blob", "CMPO:1"),
    image("d", "two", "pancake", "CMPO:2", "label"),
    image("e", "secret", "hidden thing", "CMPO:2", access=("lab",)),
)


def test_studies_teach_and_private_ones_do_not():
    with Catalogue.in_memory(RECORDS) as catalogue:
        learned = learn(catalogue.store)
    found = learned.find("phenotype", "blob", ("CMPO",))
    assert (found.term, found.support, found.studies) == ("CMPO:1", 2, 2)
    assert len(learned) == 1


def test_what_was_learned_survives_its_file():
    learned = Mappings()
    for study_name, curie in (("a", "CMPO:1"), ("b", "CMPO:1"), ("c", "CMPO:2")):
        learned.learn("phenotype", "blob", Curie(curie), study_name)
    again = taught_by(learned.mappings(lambda curie: "label"))
    assert again.find("phenotype", "blob", ("CMPO",)) == learned.find(
        "phenotype", "blob", ("CMPO",)
    )
    assert again.find("phenotype", "blob", ("CMPO",), without=("a",)) is None


def test_command_writes_what_annotators_use(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with Catalogue.open(settings) as catalogue:
        catalogue.add(RECORDS)
    run = CliRunner().invoke(root, ["--data-dir", str(tmp_path), "ontology", "learn", "--json"])
    assert run.exit_code == 0, run.output
    assert msgspec.json.decode(run.stdout)["texts"] == 1
    assert learned_file(settings).exists()
    knowledge = open_knowledge(settings, MemoryTermStore(TERMS))
    (claim,) = ValueAnnotator(knowledge).annotate(well(("Phenotype", "blob")))
    assert (claim.term, claim.method) == ("CMPO:1", "learned")


def test_dry_run_writes_nothing(tmp_path):
    with Catalogue.open(Settings(data_dir=tmp_path)) as catalogue:
        catalogue.add(RECORDS)
    options = ["--data-dir", str(tmp_path), "ontology", "learn", "--dry-run"]
    run = CliRunner().invoke(root, options)
    assert run.output.startswith("1 texts with 1 terms")
    assert not learned_file(Settings(data_dir=tmp_path)).exists()
