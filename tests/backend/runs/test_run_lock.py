"""The lock of a run folder: one holder, in a process and between two, and free again after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vaeviewer.backend.runs.lock import LOCK, RunLock, in_use, make_new_folder
from vaeviewer.errors import RunFolderError, RunInUseError


def test_two_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path), RunLock(tmp_path)
    first.acquire()
    first.acquire()  # ours already
    assert in_use(tmp_path)
    with pytest.raises(RunInUseError, match=str(tmp_path)):
        second.acquire()
    assert not second.held
    first.release()
    assert not in_use(tmp_path)
    second.acquire()
    assert second.held
    second.release()
    second.release()


@pytest.mark.slow
def test_a_killed_process_holds_it_no_longer(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from vaeviewer.backend.runs.lock import RunLock;"
        "lock = RunLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        lock = RunLock(tmp_path)
        with pytest.raises(RunInUseError):
            lock.acquire()
        process.kill()
        process.wait()
    lock.acquire()
    lock.release()


def test_a_folder_made_anew_is_locked_anew(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    lock.acquire()
    (tmp_path / LOCK).unlink()
    assert not in_use(tmp_path)
    lock.acquire()
    assert in_use(tmp_path)
    lock.release()


def test_a_folder_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    with pytest.raises(RunFolderError, match="cannot be written"):
        RunLock(tmp_path).acquire()
    assert not in_use(tmp_path)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_lock_that_is_a_link_is_refused(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    os.utime(other, (1, 1))
    link(tmp_path / LOCK, other)
    with pytest.raises(RunFolderError, match=r"\.lock is a link to another file; remove it"):
        RunLock(tmp_path).acquire()
    assert not in_use(tmp_path)
    assert (other.read_text(), other.stat().st_mtime) == ("mine", 1)


def test_asking_leaves_no_file(tmp_path: Path) -> None:
    assert not in_use(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_new_folder_is_ours_alone(tmp_path: Path) -> None:
    names = iter(["a", "b", "c"])
    (tmp_path / "a").mkdir()
    assert make_new_folder(lambda: tmp_path / next(names)) == tmp_path / "c"
    assert (tmp_path / "c").is_dir()


def test_a_new_folder_that_cannot_be_made_is_named_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert make_new_folder(lambda: tmp_path / "file" / "run") == tmp_path / "file" / "run"
