from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from vaeviewer.backend.runs import atomic_files


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_files.write_whole(path, b"one")
    atomic_files.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["create", "write", "sync", "close", "replace"])
def test_a_failing_call_leaves_the_old_file_and_no_temporary(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    atomic_files.write_whole(path, b"old")
    real = getattr(atomic_files, call)

    def fail(*arguments: object) -> None:
        if call == "close":
            real(*arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_files, call, fail)
    with pytest.raises(OSError, match="No space left"):
        atomic_files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_crash_left_is_replaced_and_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "a", tmp_path / "victim"
    victim.write_bytes(b"precious")
    atomic_files.temporary_of(path).symlink_to(victim)
    atomic_files.write_whole(path, b"new")
    assert victim.read_bytes() == b"precious"
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


def test_replacing_waits_for_a_reader_and_not_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a file that somebody reads cannot be replaced."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"new")
    refusals = iter([True, True, False])
    real = Path.replace

    def held(self: Path, other: Path) -> Path:
        if next(refusals):
            raise PermissionError("held")
        return real(self, other)

    monkeypatch.setattr(atomic_files, "REPLACE_RETRIES", 3)
    monkeypatch.setattr(atomic_files, "REPLACE_PAUSE_S", 0.001)
    monkeypatch.setattr(Path, "replace", held)
    atomic_files.replace(source, target)
    assert target.read_bytes() == b"new"

    refusals = iter([True] * 100)
    with pytest.raises(PermissionError):
        atomic_files.replace(target, source)
    assert len(list(refusals)) == 100 - 4


def test_a_file_system_that_cannot_flush_a_folder_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.EINVAL, "Invalid argument")

    def fsync(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_files.sync_folder(tmp_path)
    if os.name != "nt":
        error = OSError(errno.EIO, "Input/output error")
        with pytest.raises(OSError, match="Input/output"):
            atomic_files.sync_folder(tmp_path)


def test_reading_is_capped(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert atomic_files.read(path, 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, more than the 4 allowed"):
        atomic_files.read(path, 4)


def test_a_sparse_giant_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(OSError, match="more than"):
        atomic_files.read(path, 100)


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="link"):
        atomic_files.read(tmp_path / "link", 10)
    with pytest.raises(OSError):  # noqa: PT011  # each system words it in its own way
        atomic_files.read(tmp_path / "folder", 10)
    with pytest.raises(FileNotFoundError):
        atomic_files.read(tmp_path / "nothing", 10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_does_not_make_reading_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        atomic_files.read(tmp_path / "pipe", 10)


def test_no_file_handle_is_left_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    (tmp_path / "folder").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with pytest.raises(OSError):  # noqa: PT011
            atomic_files.read(tmp_path / "folder", 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device"),
        (OSError("it is a link, not a file"), "it is a link, not a file"),
        (MemoryError(), "not enough memory"),
        (ValueError("Bad"), "bad"),
        (OSError(), "oserror"),
    ],
)
def test_a_reason_is_a_few_words(error: OSError | MemoryError | ValueError, words: str) -> None:
    assert atomic_files.reason(error).lower() == words


def test_a_process_that_ends_at_once_takes_its_unfinished_files_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that hangs, as on a slow disk, and is overtaken by the end of the program."""
    hangs, goes_on = threading.Event(), threading.Event()

    def sync(_file: object) -> None:
        hangs.set()
        goes_on.wait(10)

    monkeypatch.setattr(atomic_files, "sync", sync)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            atomic_files.write_whole(tmp_path / "a", b"new")
        except FileNotFoundError as error:
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    assert hangs.wait(10)
    assert len(list(tmp_path.iterdir())) == 1
    atomic_files.remove_unfinished()
    assert list(tmp_path.iterdir()) == []
    goes_on.set()
    thread.join()
    assert failed
    assert list(tmp_path.iterdir()) == []
