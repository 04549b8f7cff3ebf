"""The log, in processes of its own, as it is for the whole of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaeviewer import __version__, log


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import logging, warnings\nfrom vaeviewer import log\nlog.start()\n{code}"],
        env={**os.environ, "VAEVIEWER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_records_and_warnings_reach_it_after_a_line_about_the_machine(tmp_path: Path) -> None:
    done = run("logging.getLogger('vaeviewer.x').info('Grüße'); warnings.warn('watch out')", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = (tmp_path / "logs" / "vaeviewer.log").read_text(encoding="utf-8").splitlines()
    assert f"vaeviewer {__version__}, Python 3." in first
    assert "torch" in first
    assert "processors" in first
    assert "Grüße" in rest[0]
    assert "watch out" in "".join(rest)


def test_it_stays_bounded(tmp_path: Path) -> None:
    code = "log.MAX_BYTES\nfor i in range(60): logging.getLogger('vaeviewer').info('x' * 100_000)"
    assert run(code, tmp_path).stderr == ""
    sizes = [file.stat().st_size for file in (tmp_path / "logs").glob("vaeviewer.log*")]
    assert len(sizes) == 1 + log.BACKUPS
    assert max(sizes) <= log.MAX_BYTES


def test_a_crash_is_in_the_log_the_next_time(tmp_path: Path) -> None:
    done = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path)
    assert done.returncode != 0
    assert done.stderr == ""
    assert run("", tmp_path).returncode == 0
    text = (tmp_path / "logs" / "vaeviewer.log").read_text(encoding="utf-8")
    assert "crashed the last time:\nFatal Python error: Segmentation fault" in text
    assert (tmp_path / "logs" / "crash.log").stat().st_size == 0


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in its way")
    done = run("warnings.warn('watch out'); logging.getLogger('vaeviewer').error('bad')", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_tail_is_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path))
    assert log.tail().startswith("There is no log")
    log.log_file().parent.mkdir()
    log.log_file().write_text("first line\nsecond line\nthird\n", encoding="utf-8")
    assert log.tail() == "first line\nsecond line\nthird\n"
    assert log.tail(14) == "third\n"
