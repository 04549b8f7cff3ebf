import subprocess
import sys
from pathlib import Path

import pytest

from vaeviewer import paths
from vaeviewer.errors import UserError


def test_bundled_files_are_found_from_a_checkout() -> None:
    assert paths.resource("mnist-10k", "README.md").read_text().startswith("# 10,000")


def test_bundled_files_are_found_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "vaeviewer" / "paths.py"))
    bundled = tmp_path / "site-packages" / "vaeviewer" / "resources" / "icons"
    bundled.mkdir(parents=True)
    assert paths.resource("icons") == bundled


def test_an_absent_resource_is_named() -> None:
    with pytest.raises(
        UserError, match=r"^icons/no\.svg is missing from this installation.*install it again\.$"
    ):
        paths.resource("icons", "no.svg")


def test_home_moves_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path))
    assert paths.data_dir() == tmp_path / "data"
    assert paths.runs_dir() == tmp_path / "runs"
    assert paths.settings_file() == tmp_path / "settings.ini"
    assert paths.log_dir() == tmp_path / "logs"
    assert list(tmp_path.iterdir()) == []  # asking creates nothing


def test_a_relative_home_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAEVIEWER_HOME", "here")
    assert paths.runs_dir() == tmp_path / "here" / "runs"


@pytest.mark.parametrize("unset", [True, False])
def test_without_home_the_system_decides(unset: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if unset:
        monkeypatch.delenv("VAEVIEWER_HOME")
    else:
        monkeypatch.setenv("VAEVIEWER_HOME", "")
    places = [paths.data_dir(), paths.runs_dir(), paths.settings_file(), paths.log_dir()]
    assert all(place.is_absolute() and "vaeviewer" in place.parts for place in places)
    assert len(set(places)) == 4
    assert paths.settings_file().suffix == ".ini"


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, vaeviewer.paths\n"
        "print([m for m in ('torch', 'PySide6', 'platformdirs') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_new_run_folders_are_not_taken() -> None:
    first = paths.new_run_folder()
    assert first.parent == paths.runs_dir()
    assert not first.exists()
    first.mkdir(parents=True)
    assert not paths.new_run_folder().exists()
