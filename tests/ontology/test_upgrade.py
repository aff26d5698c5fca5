import sqlite3

import pytest

from ontology.terms import SqliteTermStore
from parfocal.errors import StoreCorrupt

FIRST = """
CREATE TABLE ontology(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version TEXT NOT NULL, loaded TEXT NOT NULL,
  reader TEXT NOT NULL, terms INTEGER NOT NULL, obsolete INTEGER NOT NULL, skipped TEXT NOT NULL,
  digest TEXT NOT NULL);
CREATE TABLE node(id INTEGER PRIMARY KEY, curie TEXT NOT NULL UNIQUE);
CREATE TABLE term(
  node INTEGER NOT NULL, ontology INTEGER NOT NULL, label TEXT NOT NULL, obsolete INTEGER NOT NULL,
  replaced_by TEXT NOT NULL, definition TEXT NOT NULL, iri TEXT NOT NULL,
  PRIMARY KEY(node, ontology)) WITHOUT ROWID;
CREATE TABLE name(
  node INTEGER NOT NULL, ontology INTEGER NOT NULL, scope TEXT NOT NULL, text TEXT NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX name_folded ON name(folded, node, scope);
CREATE INDEX name_node ON name(node);
CREATE TABLE edge(
  child INTEGER NOT NULL, parent INTEGER NOT NULL, ontology INTEGER NOT NULL,
  PRIMARY KEY(child, parent, ontology)) WITHOUT ROWID;
CREATE INDEX edge_parent ON edge(parent, child);
INSERT INTO ontology VALUES(1, 'cl', '2020', '2020-01-01', 'obo', 2, 0, '[]', 'abc');
INSERT INTO node VALUES(1, 'CL:0'), (2, 'CL:1');
INSERT INTO term VALUES(1, 1, 'cell', 0, '', '', ''), (2, 1, 'neuron', 0, '', 'Fires.', '');
INSERT INTO name VALUES(1, 1, 'LABEL', 'cell', 'cell'), (2, 1, 'LABEL', 'neuron', 'neuron'),
  (2, 1, 'EXACT', 'nerve cell', 'nerve cell');
INSERT INTO edge VALUES(2, 1, 1);
PRAGMA application_id=1885434484;
PRAGMA user_version={version};
"""


def made(path, version):
    connection = sqlite3.connect(path)
    connection.executescript(FIRST.format(version=version))
    connection.close()


def test_store_of_the_first_schema_is_brought_up_to_date(tmp_path):
    made(tmp_path / "terms.sqlite", 1)
    for _ in range(2):
        store = SqliteTermStore(tmp_path / "terms.sqlite")
        neuron = store.get("CL:1")
        assert (neuron.label, neuron.definition, neuron.parents) == ("neuron", "Fires.", ("CL:0",))
        assert neuron.synonyms == (("EXACT", "nerve cell"),)
        assert store.get("CL:0").synonyms == ()
        assert [match.curie for match in store.find("nerve cell")] == ["CL:1"]
        assert store.descendants("CL:0") == {"CL:0", "CL:1"}
        assert [(one.name, one.version, one.former) for one in store.ontologies()] == [
            ("cl", "2020", "")
        ]
        store.close()


def test_store_of_a_later_schema_is_refused(tmp_path):
    made(tmp_path / "terms.sqlite", 99)
    with pytest.raises(StoreCorrupt, match="schema version 99"):
        SqliteTermStore(tmp_path / "terms.sqlite")
