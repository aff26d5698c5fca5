"""How code is written: sizes, names, broad excepts, printing, what importing a module does."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

LONGEST_FUNCTION = 60
LONG_FUNCTION = 40
LONG_FUNCTIONS_ALLOWED = 0.02
LONGEST_MODULE = 400

# The outermost edges, where any failure becomes a message instead of a traceback.
EDGES = {"parfocal/cli.py", "api/problems.py"}
# What a user sees in a terminal is printed here.
PRINTING = re.compile(r"(^|/)cli\.py$")

NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}

# Calls that must not happen while a module is imported.
IO_NAMES = {"open", "print", "input", "exec", "eval", "compile", "__import__"}
IO_MODULES = {"os", "socket", "subprocess", "threading", "asyncio", "requests", "urllib", "time"}
IO_METHODS = {
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "exists",
    "is_file",
    "is_dir",
    "mkdir",
    "connect",
    "start",
    "getenv",
    "urlopen",
    "entry_points",
}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_no_function_is_too_long(modules) -> None:
    sizes = {
        f"{module.place}:{function.lineno} {function.name}": length(function)
        for module in modules
        for function in module.functions()
    }
    too_long = {place: size for place, size in sizes.items() if size > LONGEST_FUNCTION}
    long = {place: size for place, size in sizes.items() if size > LONG_FUNCTION}
    assert too_long == {}
    assert len(long) <= LONG_FUNCTIONS_ALLOWED * len(sizes), f"split these: {long}"


def test_most_functions_are_short(modules) -> None:
    sizes = sorted(length(function) for module in modules for function in module.functions())
    assert sizes[len(sizes) // 2] <= 12
    assert sizes[len(sizes) * 9 // 10] <= 30


def test_no_module_is_too_long(modules) -> None:
    sizes = {module.place: module.text.count("\n") for module in modules}
    assert {place: size for place, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_modules_are_named_after_what_they_hold(modules) -> None:
    wrong = [m.place for m in modules if NO_NAMES & set(m.name.split("."))]
    assert wrong == []


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})
        for kind in kinds
    )


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler only cleans up: its last statement raises again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_broad_excepts_are_at_the_outermost_edge_only(modules) -> None:
    wrong = [
        f"{module.place}:{node.lineno}"
        for module in modules
        if module.place not in EDGES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not reraises(node)
    ]
    assert wrong == []


def test_only_the_command_line_prints(modules) -> None:
    wrong = [
        f"{module.place}:{node.lineno}"
        for module in modules
        if not PRINTING.search(module.place)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert wrong == []


def run_at_import(node: ast.AST):
    """Yield what Python evaluates when it imports a module: not the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, *child.args.defaults, *child.args.kw_defaults):
                if part is not None:
                    yield part
                    yield from run_at_import(part)
        elif not isinstance(child, ast.Lambda):
            yield child
            yield from run_at_import(child)


def does_something(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "environ":
        return True
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in IO_NAMES or called.id in IO_METHODS
    if isinstance(called, ast.Attribute):
        owner = called.value
        return called.attr in IO_METHODS or (
            isinstance(owner, ast.Name) and owner.id in IO_MODULES and called.attr != "Lock"
        )
    return False


def test_importing_a_module_runs_no_code_that_does_something(modules) -> None:
    wrong = [
        f"{module.place}:{node.lineno} {ast.unparse(node)}"
        for module in modules
        for node in run_at_import(module.tree)
        if isinstance(node, ast.expr) and does_something(node)
    ]
    assert wrong == []


WATCHER = """
import importlib, sys, threading
names = sys.argv[1:]
seen = []
armed = False
EVENTS = {"socket.connect", "subprocess.Popen", "os.system", "sqlite3.connect"}
def watch(event, arguments):
    if not armed:
        return
    if event in EVENTS:
        seen.append((event, str(arguments)))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if not str(arguments[0]).endswith(".pyc") and "__pycache__" not in str(arguments[0]):
            seen.append((event, str(arguments)))
sys.addaudithook(watch)
armed = True
for name in names:
    importlib.import_module(name)
armed = False
assert not seen, seen
assert threading.active_count() == 1, threading.enumerate()
"""


@pytest.mark.slow
def test_importing_all_modules_opens_no_socket_file_or_thread(modules, tmp_path: Path) -> None:
    names = [module.name for module in modules if not module.name.startswith("parfocal.testing")]
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHER, *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def public_functions(module):
    """Yield (place, node) of what a plug-in author can call: no name in the way begins with _."""

    def inside(node: ast.AST, way: str):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if child.name.startswith("_"):
                    continue
                name = f"{way}.{child.name}"
                yield name, child
                if isinstance(child, ast.ClassDef):
                    yield from inside(child, name)

    if not any(part.startswith("_") for part in module.name.split(".")):
        yield from inside(module.tree, module.name)


def overrides(node: ast.AST) -> bool:
    return any(ast.unparse(d).endswith(("overload", "override")) for d in node.decorator_list)


def test_everything_public_has_a_docstring(modules) -> None:
    wrong = [
        name
        for module in modules
        if not module.name.startswith("parfocal.testing")
        for name, node in public_functions(module)
        if ast.get_docstring(node) is None and not overrides(node)
    ]
    assert wrong == []


def test_everything_public_has_types(modules) -> None:
    wrong = []
    for module in modules:
        for name, node in public_functions(module):
            if isinstance(node, ast.ClassDef):
                continue
            arguments = [
                *node.args.posonlyargs,
                *node.args.args,
                *node.args.kwonlyargs,
                *filter(None, (node.args.vararg, node.args.kwarg)),
            ]
            untyped = [a.arg for a in arguments if a.annotation is None and a.arg not in _SELF]
            if untyped or node.returns is None:
                wrong.append(f"{name}: {untyped or 'return'}")
    assert wrong == []


_SELF = {"self", "cls"}


def test_no_path_of_a_workplace_is_in_the_project(root: Path) -> None:
    """The corpus is found beside the checkout by tests/conftest.py; nothing else knows where."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, timeout=60
    )
    names = tracked.stdout.split("\0") if tracked.returncode == 0 else []
    allowed = {"tests/conftest.py", "tests/rules/test_code.py"}
    pattern = re.compile(r"(?<![\w.])/work/|\bshared/|\.\./shared")
    wrong = []
    for name in filter(None, names):
        path = root / name
        if name in allowed or not path.is_file() or path.stat().st_size > 2_000_000:
            continue
        content = path.read_bytes()
        if b"\0" not in content and pattern.search(content.decode("utf-8", "replace")):
            wrong.append(name)
    assert wrong == []
