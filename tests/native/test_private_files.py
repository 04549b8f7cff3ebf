"""Machine code is read from files that this user alone can have written."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vaeviewer import paths
from vaeviewer.native import object_code
from vaeviewer.native.object_code import MachineCode, store, stored
from vaeviewer.native.private_files import PrivateFiles

needs_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away"
)
NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Everything new is writable by everybody, unless something is done about it."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_what_is_kept_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "kernels" / "some.o"
    store(path, b"code")
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    assert stored(path) == b"code"


def test_a_folder_of_ours_is_closed_when_it_is_found_open(tmp_path: Path) -> None:
    path = tmp_path / "kernels" / "some.o"
    store(path, b"code")
    path.parent.chmod(0o777)
    assert stored(path) == b"code"
    assert mode(path.parent) == 0o700


def test_on_a_full_disk_nothing_is_left(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="bounds files as Unix does")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            PrivateFiles(tmp_path).write(tmp_path / "some.o", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writable", [0o620, 0o602])
def test_a_file_that_others_may_write_is_not_run(tmp_path: Path, writable: int) -> None:
    path = tmp_path / "kernels" / "some.o"
    store(path, b"code")
    path.chmod(writable)
    assert stored(path) is None
    store(path, b"anew")
    assert stored(path) == b"anew"


@needs_root
@pytest.mark.parametrize("whose", ["file", "folder"])
def test_what_belongs_to_another_user_is_not_run(tmp_path: Path, whose: str) -> None:
    path = tmp_path / "kernels" / "some.o"
    store(path, b"code")
    os.chown(path if whose == "file" else path.parent, NOBODY, NOBODY)
    assert stored(path) is None


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_is_not_followed(tmp_path: Path, kind: str) -> None:
    store(tmp_path / "elsewhere" / "some.o", b"code")
    if kind == "folder":
        (tmp_path / "kernels").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "kernels").mkdir(mode=0o700)
        (tmp_path / "kernels" / "some.o").symlink_to(tmp_path / "elsewhere" / "some.o")
    assert stored(tmp_path / "kernels" / "some.o") is None


def test_a_pipe_or_a_folder_in_its_place_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.o").mkdir()
    os.mkfifo(tmp_path / "b.o")
    assert PrivateFiles(tmp_path).read(tmp_path / "a.o") is None
    assert PrivateFiles(tmp_path).read(tmp_path / "b.o") is None


@needs_root
@pytest.mark.slow
@pytest.mark.skipif(not object_code.available(), reason="no compiler is installed")
def test_in_a_shared_home_code_is_compiled_but_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path))
    folder = paths.cache_dir() / "kernels"
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    code = MachineCode("vaeviewer.ui.plane.raster.kernels", ("paint",))
    with caplog.at_level(logging.WARNING):
        code.prepare()
        code.wait(100)
    assert code.addresses is not None
    assert not list(folder.iterdir())
    assert "belongs to another user" in code.not_kept
    assert code.not_kept in caplog.text
    assert not code.kept
