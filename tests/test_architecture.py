"""Imports point one way, and what must start fast does not load what is slow."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vaeviewer"


def modules_after(code: str) -> set[str]:
    """Top-level names of all modules that a fresh interpreter has loaded after ``code``."""
    script = f"{code}\nimport sys; print(chr(10).join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_contracts_of_pyproject_hold() -> None:
    script = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def every_backend_module() -> str:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for folder in ("backend", "analysis")
        for path in sorted((PACKAGE / folder).rglob("*.py"))
    ]
    assert len(names) > 15
    return "import " + ", ".join(names)


@pytest.mark.slow
def test_backend_and_analysis_load_no_qt() -> None:
    assert not modules_after(every_backend_module()) & {"PySide6", "pyqtgraph", "shiboken6"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "vaeviewer.backend",
        "vaeviewer.backend.config",
        "vaeviewer.backend.data",
        "vaeviewer.backend.runs.folder",
        "vaeviewer.backend.runs.saving",
        "vaeviewer.backend.snapshot",
        "vaeviewer.commands",
        "vaeviewer.app",
    ],
)
def test_what_comes_before_the_window_loads_no_torch(module: str) -> None:
    assert not modules_after(f"import {module}") & {"torch", "torchvision"}


def test_the_command_line_loads_neither_qt_nor_torch() -> None:
    assert not modules_after("import vaeviewer.cli") & {"PySide6", "torch", "numpy", "pydantic"}


MOST_LINES = 400
MOST_METHODS = 30

LARGER: dict[str, str] = {}
"""Modules by path and classes by name that may be larger, each with the reason."""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_modules_and_classes_stay_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if path.relative_to(PACKAGE).as_posix() not in LARGER:
        assert len(source.splitlines()) <= MOST_LINES, "which second idea in it needs a module of its own?"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name not in LARGER:
            # By name, as a property with a setter is one.
            methods = {
                part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert len(methods) <= MOST_METHODS, f"which of its jobs could {node.name} give to another class?"


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """What code imports, inside functions too, but for what only type checkers read."""
    for node in nodes:
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                pass
            case _:
                yield from imported(ast.iter_child_nodes(node))


def test_no_imports_go_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    graph = {}
    for module, path in files.items():
        names = imported([ast.parse(path.read_text(encoding="utf-8"))])
        found = {name if name in files else name.rpartition(".")[0] for name in names}
        graph[module] = found & files.keys() - {module}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names them


def test_sessions_import_qtcore_alone() -> None:
    for path in (PACKAGE / "session").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("PySide6"):
                assert node.module == "PySide6.QtCore", f"{path.name} imports {node.module}"
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith(("PySide6", "pyqtgraph")) for a in node.names), path.name


CODE_RUNNERS = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
    "imp",
}
"""Modules that can run code while they read a file."""

CODE_RUNNING_CALLS = {
    *("eval", "exec", "compile", "execfile"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"),
    *("pandas.read_pickle", "pd.read_pickle", "numpy.lib.format.read_array", "np.lib.format.read_array"),
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_nothing_can_run_code_from_a_file(path: Path) -> None:
    assert not code_runners(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch.jit, yaml.reader",
        "torch.load(f)",
        "from torch import load",
        "from torch import load as read",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=maybe)",
        "np.load(f, None, True)",
        "eval('1')",
        "importlib.import_module('pickle')",
        "__import__('marshal')",
    ],
)
def test_what_runs_code_is_found(code: str) -> None:
    assert code_runners(code)


def code_runners(source: str) -> list[str]:
    """What in a module could run code from a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                found += [a.name for a in names if a.name.split(".")[0] in CODE_RUNNERS]
                found += [a.name for a in names if a.name in ("torch.jit", "torch.package", "torch.hub")]
            case ast.ImportFrom(module, names):
                found += [a.name for a in names if f"{module}.{a.name}" in CODE_RUNNING_CALLS]
                found += [str(module)] if str(module).split(".")[0] in CODE_RUNNERS else []
            case ast.Call(function, arguments):
                name = ast.unparse(function)
                found += [name] if name in CODE_RUNNING_CALLS else []
                # numpy.load's third argument is allow_pickle.
                found += [name] if name in ("np.load", "numpy.load") and len(arguments) > 2 else []
                if name in ("__import__", "importlib.import_module", "import_module"):
                    found += [
                        a.value for a in arguments if isinstance(a, ast.Constant) and a.value in CODE_RUNNERS
                    ]
            case ast.keyword("allow_pickle", value) if not (
                isinstance(value, ast.Constant) and value.value is False
            ):
                found.append("allow_pickle")
    return found
