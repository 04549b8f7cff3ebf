"""Imports point one way, and what must start fast does not load what is slow."""

from __future__ import annotations

import ast
import subprocess
import sys
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


def test_backend_and_analysis_load_no_qt() -> None:
    assert not modules_after(every_backend_module()) & {"PySide6", "pyqtgraph", "shiboken6"}


@pytest.mark.parametrize(
    "module",
    [
        "vaeviewer.backend",
        "vaeviewer.backend.config",
        "vaeviewer.backend.datasets",
        "vaeviewer.backend.run_folder",
        "vaeviewer.backend.snapshot",
        "vaeviewer.commands",
        "vaeviewer.app",
    ],
)
def test_what_comes_before_the_window_loads_no_torch(module: str) -> None:
    assert not modules_after(f"import {module}") & {"torch", "torchvision"}


def test_the_command_line_loads_neither_qt_nor_torch() -> None:
    assert not modules_after("import vaeviewer.cli") & {"PySide6", "torch", "numpy", "pydantic"}


def test_sessions_import_qtcore_alone() -> None:
    for path in (PACKAGE / "session").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("PySide6"):
                assert node.module == "PySide6.QtCore", f"{path.name} imports {node.module}"
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith(("PySide6", "pyqtgraph")) for a in node.names), path.name


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_nothing_can_run_code_from_a_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
            assert not any(
                name.split(".")[0] in ("pickle", "cPickle", "dill", "shelve", "marshal") for name in names
            )
        if isinstance(node, ast.Attribute) and node.attr == "load" and isinstance(node.value, ast.Name):
            assert node.value.id != "torch", "torch.load unpickles"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec")
