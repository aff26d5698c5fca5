import json

import pytest

from parfocal import cli

OBO = "format-version: 1.2\nontology: cl\ndata-version: 2\n\n[Term]\nid: CL:0000540\nname: neuron\n"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARFOCAL_ONTOLOGY_BUNDLED", "false")

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            cli.main(["--data-dir", str(tmp_path / "data"), "ontology", *map(str, arguments)])
        output = capsys.readouterr()
        return stopped.value.code, output.out, output.err

    return run


@pytest.fixture
def obo(tmp_path):
    path = tmp_path / "cl.obo"
    path.write_text(OBO)
    return path


def test_load_and_list(run, obo):
    assert run("load", obo) == (0, "cl 2: 1 terms, 0 obsolete, read by pronto\n", "")
    code, out, _ = run("list", "--json")
    (summary,) = json.loads(out)
    assert code == 0
    assert (summary["name"], summary["version"], summary["terms"]) == ("cl", "2", 1)
    assert "pronto" in run("list")[1]


def test_list_tells_what_was_left_out(run, obo):
    obo.write_text(OBO + "\n[Typedef]\nid: part_of\n\n[Term]\nid: no curie\nnonsense\n")
    assert run("load", obo)[0] == 0
    assert "skipped" not in run("list")[1].splitlines()[1]
    assert "cl: skipped 1 x frame [typedef], not a class" in run("list", "--skipped")[1]


def test_nothing_loaded_says_what_to_do(run):
    assert "ontology load --bundled" in run("list")[1]


def test_bundled(run):
    code, out, _ = run("load", "--bundled", "--json")
    assert code == 0
    assert {one["name"] for one in json.loads(out)["loaded"]} >= {"fbbi", "cmpo", "ncbitaxon"}
    assert json.loads(run("load", "--bundled", "--json")[1])["loaded"] == []


def test_bad_file_beside_a_good_one(run, obo, tmp_path):
    page = tmp_path / "page.obo"
    page.write_text("<!doctype html><p>Log in</p>")
    code, out, err = run("load", page, obo)
    assert code == 3
    assert "cl 2: 1 terms" in out
    assert str(page) in err
    assert "web page" in err
    code, out, _ = run("load", page, obo, "--json")
    assert code == 3
    assert json.loads(out)["problems"][0]["where"] == str(page)


def test_bad_file_alone_and_no_file(run, tmp_path):
    code, _, err = run("load", tmp_path / "none.obo")
    assert code == 2
    assert "none.obo" in err
    assert "Traceback" not in err
    assert run("load")[0] == 2
