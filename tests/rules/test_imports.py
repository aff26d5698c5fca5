"""Hub and spokes: who may import whom, and which package works where."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SPOKES = {"harvester", "indexer", "ontology", "api", "publish"}

# The packages that do the main work, and the only places that may import them.
HOMES = {
    "aiohttp": {"harvester", "parfocal"},
    "ome_types": {"harvester"},
    "pronto": {"ontology"},
    "pyld": {"parfocal"},
    "rdflib": {"parfocal", "indexer"},
    "pyoxigraph": {"indexer", "harvester", "ontology"},
    "elasticsearch": {"indexer"},
    "tantivy": {"indexer"},
    "flask": {"api"},
    "granian": {"api"},
    "datacite": {"publish"},
    "rocrate": {"publish"},
    "requests": {"publish", "ontology"},
    "sqlite3": {"parfocal", "ontology"},
}

# datacite works on requests; archives behind HTTP, and so aiohttp, come with their sources.
INDIRECT = {"requests", "aiohttp"}


def imported(tree: ast.Module) -> set[str]:
    """Names of top-level packages that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_contracts_of_the_import_linter_hold(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 2 kept, 0 broken" in done.stdout


def test_hub_imports_no_spoke_and_spokes_import_only_the_hub(modules) -> None:
    wrong = [
        f"{module.place} imports {name}"
        for module in modules
        for name in imported(module.tree) & SPOKES
        if name != module.package
    ]
    assert wrong == []


@pytest.mark.parametrize("package", sorted(HOMES))
def test_package_works_where_it_belongs(package: str, modules) -> None:
    users = {module.package for module in modules if package in imported(module.tree)}
    assert users or package in INDIRECT, f"nothing uses {package}"
    assert users <= HOMES[package]


def test_nothing_but_the_command_line_and_settings_reads_the_environment(modules) -> None:
    allowed = {"parfocal/config.py"}
    wrong = [
        module.place
        for module in modules
        if module.place not in allowed
        and any(
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            and node.attr in {"environ", "getenv"}
            for node in ast.walk(module.tree)
        )
    ]
    assert wrong == []


def test_no_module_is_imported_by_a_relative_path(modules) -> None:
    wrong = [
        module.place
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert wrong == []
