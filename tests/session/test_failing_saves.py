"""A disk that fails at any call of a save: the user is told, training goes on, old files stay whole."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from saboteur import Saboteur

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_every_failure_is_told_and_costs_nothing(
    code: int, qtbot: QtBot, digits: ImageDataset, small: Settings, tmp_path: Path
) -> None:
    told: list[str] = []
    saved: list[object] = []
    folder = tmp_path / "run"
    with closing(Session(updated(small, epochs=100_000))) as session:
        session.problem.connect(lambda sentence, _details: told.append(sentence))
        session.saved.connect(saved.append)
        session.forget_run()
        session._thread.start()
        session.use_data(digits, keep_model=False)
        qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
        session.set_steps_per_second(500.0)
        session.request(Action.TRAIN)
        session.save(folder)
        qtbot.waitUntil(lambda: bool(saved))

        failures = 0
        for k in range(1, 200):
            before, step = contents(folder), session._thread._driver.trainer.step_count
            qtbot.waitUntil(lambda before=step: session._thread._driver.trainer.step_count > before)
            told.clear()
            saved.clear()
            with pytest.MonkeyPatch.context() as monkeypatch:
                saboteur = Saboteur(monkeypatch, k, "instead", code)
                session.save(folder)
                qtbot.waitUntil(lambda: bool(told or saved))
            assert session.state is State.RUNNING
            assert load_run(folder).notes == ()
            if told:
                failures += 1
                assert str(folder) in told[0]
                assert os.strerror(code).lower() in told[0]
                assert contents(folder) == before
            elif saboteur.calls < k:
                break
        else:
            pytest.fail("a save makes more calls than expected")
    # On a full disk what is not needed goes, and a second try succeeds.
    assert failures >= (2 if code == errno.ENOSPC else 20)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run, without its lock and its log."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".json", ".safetensors")
    }
