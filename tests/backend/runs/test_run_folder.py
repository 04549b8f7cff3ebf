"""Run folders: what is saved (run_saving.py) is read again (run_folder.py), and what is damaged is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from conftest import same_arrays
from saboteur import Mode, Saboteur, SmallDisk
from safetensors.numpy import save

from vaeviewer.backend.config import Settings, TrainConfig, updated
from vaeviewer.backend.data.base import DataSource
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.latent_model import state_shapes
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import (
    Change,
    DataDescription,
    HeldOut,
    Run,
    load_run,
    prepare_folder,
)
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.snapshot import Checkpoint, TrainingState, snapshot_of
from vaeviewer.backend.training.history import History
from vaeviewer.errors import RunFolderError
from vaeviewer.limits import MAX_MANIFEST_BYTES

SETTINGS = Settings(
    model=VaeConfig(hidden=(4, 3), likelihood="gaussian", beta=0.5), train=TrainConfig(protocol="dynamic")
)
DATA = DataDescription(
    source=DataSource(key="folder", path="/somewhere/é β", checksum="ab" * 32),
    name="Leaves — ünïcode",
    class_names=("oak", "beech", "Ulme\t\"'"),
    image_shape=(2, 3),
    train_count=60,
    held_out_count=7,
)


def make_run(folder: Path, step: int, **changes: Any) -> Run:
    rng = np.random.default_rng(step)
    state, _ = state_shapes(SETTINGS.model, DATA.spec)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, (_, shape) in state.items()}
    training: dict[str, np.ndarray] = {
        "adam.step": np.array(step, np.float32),
        "adam.exp_avg": rng.standard_normal((3, 4)),
        "generator.cpu": rng.integers(0, 256, 50, dtype=np.uint8),
        "order": rng.integers(-(2**62), 2**62, 5),
        "half": rng.integers(0, 2**15, 6, dtype=np.uint16),
        "nothing": np.zeros((0, 3), np.int64),
        "seen": np.array([True, False]),
    }
    values = {"position": step, "pcg": 2**127 + 1, "nested": {"a": [1.5, None, True, "β"]}, "tiny": 5e-324}
    history = History.empty(SETTINGS.family.metrics)
    steps = np.arange(1, step + 1, dtype=np.int32)
    terms = rng.standard_normal((step, 2)).astype(np.float32)
    history.training.append(steps, (steps / 10).astype(np.float32), terms)
    history.held_out.append_row(step, step / 10, {"reconstruction": -100.25, "kl": 3.5})
    run = Run(
        folder=folder,
        settings=SETTINGS,
        data=DATA,
        checkpoint=Checkpoint(
            snapshot_of(
                SETTINGS.model,
                DATA.spec,
                weights,
                step=step,
                epoch=step / 10,
                protocol="dynamic",
            ),
            TrainingState(training, values),
        ),
        history=history,
        timeline=(Change(0, "beta", 2.0), Change(step, "epochs", 7), Change(step, "device", "cpu")),
        held_out=HeldOut({"elbo": -103.75, "reconstruction": -100.25, "kl": 3.5}, 16),
        device="CPU, bf16 compiled",
        threads=2,
    )
    return replace(run, **changes)


def assert_same(loaded: Run, run: Run) -> None:
    for field in ("folder", "settings", "data", "timeline", "held_out", "device", "threads"):
        assert getattr(loaded, field) == getattr(run, field)
    ours, theirs = run.checkpoint, loaded.checkpoint
    for field in ("step", "epoch", "model", "image_shape", "protocol"):
        assert getattr(theirs.snapshot, field) == getattr(ours.snapshot, field)
    assert theirs.snapshot.posterior is None
    assert theirs.training.values == ours.training.values
    for mine, read in (
        (ours.snapshot.weights, theirs.snapshot.weights),
        (ours.training.tensors, theirs.training.tensors),
    ):
        assert mine.keys() == read.keys()
        for name, array in mine.items():
            assert read[name].dtype == array.dtype
            assert read[name].shape == array.shape
            np.testing.assert_array_equal(read[name], array)
    for table in ("training", "held_out"):
        mine_view, read_view = getattr(run.history, table).view(), getattr(loaded.history, table).view()
        for name, column in mine_view.columns().items():
            np.testing.assert_array_equal(read_view.columns()[name], column)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 1000
    return text


def named(folder: Path, kind: str, checkpoint: int = 0) -> Path:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return folder / str(manifest["checkpoints"][checkpoint]["files"][kind]["name"])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rewrite(folder: Path, kind: str, data: bytes, checkpoint: int = 0) -> None:
    """Replace a file and sign it, so that what reads it after the checksum is put to the test."""
    path = named(folder, kind, checkpoint)
    path.write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    entry = manifest["checkpoints"][checkpoint]["files"][kind]
    entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


# Saving and loading


def test_a_run_comes_back_equal(tmp_path: Path) -> None:
    run = make_run(prepare_folder(tmp_path / "runs" / "one"), 7)
    save_run(run)
    loaded = load_run(str(run.folder))
    assert_same(loaded, run)
    assert loaded.notes == ()
    assert loaded.saved is not None
    assert loaded.checkpoint.snapshot.decode(np.zeros((1, 2), np.float32)).shape == (1, 2, 3)


def test_the_newest_and_the_one_before_are_kept(tmp_path: Path) -> None:
    for step in (3, 5, 9, 12):
        save_run(make_run(tmp_path, step))
    assert names_in(tmp_path) == [
        "manifest.json",
        *(
            f"step-{step:08d}.{kind}.safetensors"
            for step in (9, 12)
            for kind in ("metrics", "training", "weights")
        ),
    ]
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert [entry["step"] for entry in manifest["checkpoints"]] == [12, 9]
    assert_same(load_run(tmp_path), make_run(tmp_path, 12))


def test_a_step_saved_twice_takes_other_names(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 3))
    first = {name: data for name, data in contents(tmp_path).items() if name != "manifest.json"}
    again = make_run(tmp_path, 3, device="another", held_out=None)
    for count in range(1, 5):
        before = contents(tmp_path)
        save_run(again)
        after = contents(tmp_path)
        assert len(after) == 7
        assert named(tmp_path, "weights", 1).name in before
        assert all(after[name] == data for name, data in before.items() if name in after and "step" in name)
        if count == 1:
            assert first.items() <= after.items()
        assert_same(load_run(tmp_path), again)


def test_going_back_to_an_earlier_step_is_saved_too(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 9))
    save_run(make_run(tmp_path, 4))
    assert load_run(tmp_path).checkpoint.snapshot.step == 4


def test_the_time_of_creation_stays(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 1))
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["created"] = "2020-02-03T04:05:06Z"
    path.write_text(json.dumps(manifest), "utf-8")
    save_run(make_run(tmp_path, 2))
    assert json.loads(path.read_text("utf-8"))["created"].startswith("2020-02-03T04:05:06")


def test_a_checkpoint_keeps_only_what_had_happened_by_then(tmp_path: Path) -> None:
    """The training thread goes on while a save is written."""
    run = make_run(tmp_path, 4, timeline=(Change(4, "beta", 1.0), Change(5, "beta", 3.0)))
    run.history.training.append_row(5, 0.5, {"reconstruction": -1.0, "kl": 1.0})
    save_run(run)
    loaded = load_run(tmp_path)
    assert loaded.history.training.view().step[-1] == 4
    assert loaded.timeline == (Change(4, "beta", 1.0),)


@pytest.mark.parametrize("saves", [2, 3])
@pytest.mark.parametrize("training", [True, False])
def test_a_run_is_read_while_it_is_saved_again_and_again(
    saves: int, training: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which each takes away what a manifest read two saves before names."""
    save_run(make_run(tmp_path, 1))
    real, steps = atomic_files.read, iter(range(2, 2 + saves))

    def read(path: Path, limit: int) -> bytes:
        data = real(path, limit)
        with monkeypatch.context() as patch:
            patch.setattr(atomic_files, "read", real)
            if path.name == "manifest.json":
                for step in steps:
                    save_run(make_run(tmp_path, step))
        return data

    monkeypatch.setattr(atomic_files, "read", read)
    loaded = load_run(tmp_path, training=training)
    assert loaded.checkpoint.snapshot.step == 1 + saves
    assert loaded.notes == ()


@pytest.mark.slow
def test_saving_and_loading_need_no_torch_and_no_qt() -> None:
    code = (
        "import sys, vaeviewer.backend.runs.saving; sys.exit(bool({'torch', 'PySide6'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_file_of_another_owner_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "step-00000001.pictures.safetensors").write_text("mine too")
    for step in (1, 2, 3, 4):
        save_run(make_run(tmp_path, step))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "step-00000001.pictures.safetensors").read_text() == "mine too"


# What a save refuses


def with_weight(run: Run, name: str, array: np.ndarray) -> Run:
    snapshot = run.checkpoint.snapshot
    weights = dict(snapshot.weights) | {name: array}
    return replace(run, checkpoint=replace(run.checkpoint, snapshot=replace(snapshot, weights=weights)))


def with_training(run: Run, **changes: Any) -> Run:
    return replace(
        run, checkpoint=replace(run.checkpoint, training=replace(run.checkpoint.training, **changes))
    )


def not_finite_history(run: Run) -> Run:
    run.history.training.append_row(
        run.checkpoint.snapshot.step, 1.0, {"reconstruction": float("nan"), "kl": 1.0}
    )
    return run


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda run: with_weight(run, "encoder.0.bias", np.full(4, np.nan, np.float32)), "encoder.0.bias"),
        (lambda run: with_weight(run, "encoder.0.bias", np.zeros(5, np.float32)), "encoder.0.bias"),
        (lambda run: with_weight(run, "encoder.9.bias", np.zeros(5, np.float32)), "encoder.9.bias"),
        (lambda run: with_training(run, tensors={"m": np.array([object()])}), "m has dtype object"),
        (lambda run: with_training(run, tensors={"m": np.array([np.inf])}), "m holds values"),
        (lambda run: with_training(run, values={"a": float("nan")}), "JSON"),
        (lambda run: with_training(run, values={"a": np.int64(1)}), "JSON"),
        (lambda run: with_training(run, values={"a": "\udcff"}), "JSON"),
        (not_finite_history, "training.reconstruction"),
        (lambda run: replace(run, timeline=(Change(0, "beta", float("inf")),)), "JSON"),
        (lambda run: replace(run, timeline=(Change(-1, "beta", 1.0),)), "timeline.0.step"),
        (lambda run: replace(run, timeline=(Change(0, "beta", 1.0),) * 20_001), "timeline"),
        (lambda run: replace(run, held_out=HeldOut({"elbo": -1.0}, 0)), "held_out.samples"),
        (lambda run: replace(run, threads=-1), "threads"),
        (lambda run: replace(run, data=replace(run.data, name="x" * 501)), "data.name"),
        (lambda run: replace(run, data=replace(run.data, image_shape=(3, 2))), "another model"),
        (lambda run: replace(run, settings=updated(Settings(), family="denoising")), "another model"),
        (lambda run: replace(run, settings=Settings()), "does not belong to the model"),
    ],
)
def test_nothing_is_saved_that_could_not_be_read_again(
    change: Callable[[Run], Run], problem: str, tmp_path: Path
) -> None:
    save_run(make_run(tmp_path, 3))
    before = contents(tmp_path)
    with pytest.raises(RunFolderError) as caught:
        save_run(change(make_run(tmp_path, 4)))
    text = one_sentence(caught.value)
    assert str(tmp_path) in text
    assert problem in text
    assert contents(tmp_path) == before


def test_a_folder_with_a_run_of_another_model_is_refused(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 3))
    before = contents(tmp_path)
    other = Settings(model=VaeConfig(hidden=(5,)))
    state, _ = state_shapes(other.model, DATA.spec)
    weights = {name: np.zeros(shape, np.float32) for name, (_, shape) in state.items()}
    snapshot = snapshot_of(other.model, DATA.spec, weights, step=1)
    run = make_run(tmp_path, 1, settings=other, checkpoint=Checkpoint(snapshot, TrainingState({})))
    with pytest.raises(RunFolderError, match="another model"):
        save_run(run)
    assert contents(tmp_path) == before


def test_a_run_of_a_newer_program_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 3))
    (tmp_path / "manifest.json").write_text('{"format": 5, "new": []}')
    before = contents(tmp_path)
    with pytest.raises(RunFolderError, match="newer vaeviewer"):
        save_run(make_run(tmp_path, 4))
    with pytest.raises(RunFolderError, match="newer vaeviewer; open it with that one"):
        load_run(tmp_path)
    assert contents(tmp_path) == before


def test_a_damaged_manifest_does_not_stop_a_save_and_costs_no_file(tmp_path: Path) -> None:
    save_run(make_run(tmp_path, 3))
    (tmp_path / "manifest.json").write_text("{")
    before = contents(tmp_path)
    save_run(make_run(tmp_path, 3, device="again"))
    assert load_run(tmp_path).device == "again"
    after = contents(tmp_path)
    assert all(after[name] == data for name, data in before.items() if name != "manifest.json")


# A save that fails or dies


@pytest.fixture(scope="module")
def two_saves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-saves")
    save_run(make_run(folder, 2))
    save_run(make_run(folder, 5))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "code"),
    [(mode, errno.ENOSPC) for mode in ("instead", "after", "dead")]
    + [("instead", errno.EIO), ("instead", errno.EACCES)],
)
@pytest.mark.parametrize("step", [8, 5])
def test_a_save_that_fails_at_any_call_costs_nothing(
    mode: Mode, code: int, step: int, two_saves: Path, tmp_path: Path
) -> None:
    failures = 0
    for k in range(1, 200):
        folder = tmp_path / str(k)
        shutil.copytree(two_saves, folder)
        before = contents(folder)
        old, new = make_run(folder, 5), make_run(folder, step, device="new")
        raised = ""
        with pytest.MonkeyPatch.context() as monkeypatch:
            saboteur = Saboteur(monkeypatch, k, mode, code)
            try:
                save_run(new)
            except RunFolderError as error:
                raised = one_sentence(error)
        if saboteur.calls < k:
            break
        after = contents(folder)
        replaced = after["manifest.json"] != before["manifest.json"]
        if raised:
            failures += 1
            assert str(folder) in raised
            assert os.strerror(code).lower() in raised
            # Only where the manifest's own replacement took effect and then reported failure.
            assert not replaced or mode == "after"
            if not replaced:
                assert before.items() <= after.items()
            if mode == "instead":
                assert after == before
        else:
            assert replaced
        loaded = load_run(folder)
        assert loaded.notes == ()
        assert_same(loaded, new if replaced else old)
        # The checkpoint that was the newest is whole in every case.
        old_files = [named(two_saves, kind).name for kind in ("weights", "training", "metrics")]
        assert all(after[name] == before[name] for name in old_files)

        save_run(new)  # the next one works, and sweeps up
        assert_same(load_run(folder), new)
        assert len(contents(folder)) == 7
    else:
        pytest.fail("a save makes more calls than expected")
    # On a full disk what is not needed goes, and a second try succeeds.
    assert failures >= (2 if code == errno.ENOSPC and mode != "dead" else 20)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_disk_with_room_for_two_checkpoints_keeps_taking_them(two_saves: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(two_saves, folder)
    room = size_of(folder) + 200  # two checkpoints and a manifest, which needs a moment for a second one
    with pytest.MonkeyPatch.context() as monkeypatch:
        SmallDisk(monkeypatch, folder, room + (folder / "manifest.json").stat().st_size)
        for step in (8, 11, 14):
            save_run(make_run(folder, step))
            assert_same(load_run(folder), make_run(folder, step))
            assert len(contents(folder)) == 7, "with the one before"


@pytest.mark.slow
def test_whatever_room_there_is_the_last_good_checkpoint_survives(two_saves: Path, tmp_path: Path) -> None:
    full = size_of(two_saves)
    saved_with: list[int] = []
    for room in range(full - 1000, full * 2, 400):
        folder = tmp_path / str(room)
        shutil.copytree(two_saves, folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            SmallDisk(monkeypatch, folder, room)
            newest = 5
            for step in (8, 11):
                with suppress(RunFolderError):
                    save_run(make_run(folder, step))
                    newest = step
                assert_same(load_run(folder), make_run(folder, newest))
        if newest == 11:
            saved_with.append(room)
    assert len(saved_with) > 3
    assert min(saved_with) < full + (two_saves / "manifest.json").stat().st_size + 400


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [None, 5])
def test_killed_while_room_is_made_the_last_good_checkpoint_survives(
    damaged: int | None, two_saves: Path, tmp_path: Path
) -> None:
    """Where the newest is damaged, the one before is the one to keep."""
    steps: set[int] = set()
    for k in range(1, 400):
        folder = tmp_path / f"{k}"
        shutil.copytree(two_saves, folder)
        if damaged is not None:
            flip(next(folder.glob("step-00000005.weights*")))
        with pytest.MonkeyPatch.context() as monkeypatch:
            SmallDisk(monkeypatch, folder, size_of(folder) + 2 * (folder / "manifest.json").stat().st_size)
            saboteur = Saboteur(monkeypatch, k, "dead")
            with suppress(RunFolderError):
                save_run(make_run(folder, 8))
        loaded = load_run(folder)
        step = loaded.checkpoint.snapshot.step
        weights = make_run(folder, step).checkpoint.snapshot.weights
        assert same_arrays(loaded.checkpoint.snapshot.weights, weights)
        steps.add(step)
        if saboteur.calls < k:
            break
    else:
        pytest.fail("a save makes more calls than expected")
    assert steps == {5 if damaged is None else 2, 8}


def test_a_first_save_that_fails_leaves_an_empty_folder(tmp_path: Path) -> None:
    for k in range(1, 200):
        folder = prepare_folder(tmp_path / str(k))
        with pytest.MonkeyPatch.context() as monkeypatch:
            saboteur = Saboteur(monkeypatch, k, "instead")
            try:
                save_run(make_run(folder, 1))
            except RunFolderError:
                assert names_in(folder) == []
        if saboteur.calls < k:
            return
    pytest.fail("a save makes more calls than expected")


OUTSIDE_THE_SEAM = """
import sys
from pathlib import Path
from saboteur import SEAM
from test_run_folder import make_run
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.saving import save_run

inside, seen, outside = [False], set(), set()

def through(name, real):
    def call(*arguments):
        before, inside[0] = inside[0], True
        try:
            return real(*arguments)
        finally:
            inside[0] = before
    return call

def hook(event, arguments):
    if event == "open" or event.startswith(("os.", "shutil.")):
        if any(isinstance(a, (str, bytes, Path)) and sys.argv[1] in str(a) for a in arguments):
            (seen if inside[0] else outside).add(event)

for name in SEAM:
    setattr(atomic_files, name, through(name, getattr(atomic_files, name)))
folder = Path(sys.argv[1])
runs = [make_run(folder, step) for step in (2, 5, 8)]
sys.addaudithook(hook)
for run in runs:
    save_run(run)
print(sorted(seen), sorted(outside))
"""


@pytest.mark.slow
def test_a_save_reaches_the_disk_through_the_seam_alone(tmp_path: Path) -> None:
    """Else a failure would go untested. Python itself reports each call that opens, names or removes."""
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE_THE_SEAM, str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['open', 'os.listdir', 'os.mkdir', 'os.remove', 'os.rename'] []\n"


# Folders


def test_a_folder_is_made_with_its_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = prepare_folder(Path("a") / "b")
    assert folder == tmp_path / "a" / "b"
    assert prepare_folder(folder) == folder
    assert names_in(folder) == []


def test_folders_that_cannot_be_used_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "file").touch()
    for path, problem in (
        (tmp_path / "full", "full is not empty; choose another folder."),
        (tmp_path / "file", "file is a file, not a folder; choose another folder."),
        (tmp_path / "file" / "below", "choose another folder."),
        ("nul\0", "choose another folder."),
        (tmp_path / ("x" * 300), "choose another folder."),
    ):
        with pytest.raises(RunFolderError) as caught:
            prepare_folder(path)
        assert one_sentence(caught.value).endswith(problem)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions bind no superuser")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="cannot be written"):
        prepare_folder(tmp_path)
    with pytest.raises(RunFolderError, match="cannot be written"):
        prepare_folder(tmp_path / "new")
    tmp_path.chmod(0o700)


def test_a_folder_that_refuses_a_first_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> BinaryIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic_files, "create", fail)
    with pytest.raises(RunFolderError, match=r"cannot be written \(permission denied\); choose"):
        prepare_folder(tmp_path)


def test_what_is_no_run_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest" / "manifest.json").mkdir()
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file", tmp_path / "manifest", "nul\0", ""):
        with pytest.raises(RunFolderError) as caught:
            load_run(path)
        one_sentence(caught.value)
    with pytest.raises(RunFolderError, match=r"is not a run folder: it has no manifest\.json; choose one"):
        load_run(tmp_path)


# Damage


@pytest.fixture
def folder(two_saves: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_saves, tmp_path / "run"))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def to_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


DAMAGE = [truncate, extend, flip, to_link, to_folder, to_giant, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["weights", "training", "metrics"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    kind: str, damage: Callable[[Path], None], folder: Path
) -> None:
    newest, previous = named(folder, kind), named(folder, kind, 1)
    damage(newest)
    loaded = load_run(folder)
    # The change at step 0 only: the others were made at step 5.
    assert_same(loaded, make_run(folder, 2, timeline=(Change(0, "beta", 2.0),)))
    (note,) = loaded.notes
    assert str(newest) in note
    assert note.endswith("Step 2, saved before, was opened.")

    damage(previous)
    with pytest.raises(RunFolderError, match=r"put the file back from a copy, or train anew\.$") as caught:
        load_run(folder)
    assert str(newest) in one_sentence(caught.value)


@pytest.mark.parametrize("problem", [OSError(errno.EIO, "Input/output error"), MemoryError()])
@pytest.mark.parametrize("ending", ["safetensors", "json"])
def test_what_cannot_be_read_just_now_is_not_called_damaged(
    problem: Exception, ending: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = atomic_files.read

    def read(path: Path, limit: int) -> bytes:
        if path.suffix == f".{ending}":
            raise problem
        return real(path, limit)

    monkeypatch.setattr(atomic_files, "read", read)
    with pytest.raises(RunFolderError, match=r"input/output error|not enough memory") as caught:
        load_run(folder)
    assert "from a copy" not in one_sentence(caught.value)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["weights", "training", "metrics"])
def test_a_save_keeps_a_whole_checkpoint_rather_than_a_damaged_one(
    kind: str, damage: Callable[[Path], None], folder: Path
) -> None:
    damage(named(folder, kind))
    save_run(make_run(folder, 8))
    damage(named(folder, kind))
    assert load_run(folder).checkpoint.snapshot.step == 2


def test_a_checkpoint_that_cannot_be_read_just_now_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, limit: int) -> tuple[int, str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "checksum", fail)
        save_run(make_run(folder, 8))
    named(folder, "weights").unlink()
    assert load_run(folder).checkpoint.snapshot.step == 5


@pytest.mark.parametrize("damage", [to_link, to_folder, to_giant])
def test_a_manifest_that_is_no_plain_small_file_is_refused(
    damage: Callable[[Path], None], folder: Path
) -> None:
    damage(folder / "manifest.json")
    with pytest.raises(RunFolderError) as caught:
        load_run(folder)
    assert "manifest.json" in one_sentence(caught.value)
    with pytest.raises(RunFolderError):
        save_run(make_run(folder, 8))


def weights_with(**changes: np.ndarray | None) -> bytes:
    weights = dict(make_run(Path(), 5).checkpoint.snapshot.weights)
    for name, array in changes.items():
        key = name.replace("_", ".")
        if array is None:
            del weights[key]
        else:
            weights[key] = array
    return save(weights)


def metrics_with(**changes: Any) -> bytes:
    names = ("step", "epoch", "reconstruction", "kl")
    columns = {
        f"{table}.{name}": np.zeros(3, np.int32 if name == "step" else np.float32)
        for table in ("training", "held_out")
        for name in names
    }
    return save(columns | {name.replace("held_out_", "held_out."): a for name, a in changes.items()})


@pytest.mark.parametrize(
    ("kind", "data", "problem"),
    [
        ("weights", weights_with(encoder_0_bias=None), "encoder.0.bias is missing"),
        ("weights", weights_with(encoder_0_bias=np.zeros(5, np.float32)), "encoder.0.bias is float32 (5,)"),
        ("weights", weights_with(encoder_0_bias=np.zeros(4)), "encoder.0.bias is float64 (4,)"),
        ("weights", weights_with(encoder_0_bias=np.full(4, np.nan, np.float32)), "encoder.0.bias holds"),
        ("weights", weights_with(extra=np.zeros(1, np.float32)), "extra does not belong"),
        ("weights", pickle.dumps({"encoder.0.bias": np.zeros(4)}), "header"),
        ("weights", b"x" * 2_000_000, "more than the"),
        ("weights", (2**60).to_bytes(8, "little") + b"{}", "header"),
        ("weights", b"", "too short"),
        ("weights", weights_with(**{"a\nb": np.zeros(1, np.float32)}), r"'a\nb' does not belong"),
        ("training", save({"m": np.array([np.inf])}), "m holds"),
        ("training", save({"a\nb": np.array([np.inf])}), r"'a\nb' holds"),
        ("metrics", save({}), "columns of a history"),
        ("metrics", metrics_with(held_out_kl=np.zeros(3)), "columns of a history"),
        ("metrics", metrics_with(held_out_kl=np.zeros(2, np.float32)), "held_out.kl has shape (2,)"),
        ("metrics", metrics_with(held_out_kl=np.full(3, np.nan, np.float32)), "held_out.kl holds"),
        ("metrics", metrics_with(held_out_step=np.array([0, 2, 1], np.int32)), "held_out.step does not rise"),
        ("metrics", metrics_with(held_out_step=np.array([0, 2, 6], np.int32)), "after the checkpoint"),
        ("metrics", metrics_with(held_out_step=np.array(3, np.int32)), "held_out.step has shape ()"),
    ],
)
def test_a_signed_file_with_wrong_arrays_is_refused_by_name(
    kind: str, data: bytes, problem: str, folder: Path
) -> None:
    rewrite(folder, kind, data)
    (note,) = load_run(folder).notes
    assert named(folder, kind).name in note
    assert problem in note
    assert "\n" not in note


def test_a_pickle_is_never_run(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    for kind in ("weights", "training", "metrics"):
        rewrite(folder, kind, pickle.dumps(Bomb()))
    assert load_run(folder).checkpoint.snapshot.step == 2
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../run/step-00000005.weights.safetensors",
        "/etc/passwd",
        "step-00000005.weights.safetensors\n",
        "sub/step-00000005.weights.safetensors",
        "sub\\step-00000005.weights.safetensors",
        "C:step-00000005.weights.safetensors",
        "manifest.json",
        "..",
        "",
        "step-٠٠٠٠٠٠٠٥.weights.safetensors",
    ],
)
def test_only_plain_names_in_the_folder_are_followed(name: str, folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["checkpoints"][0]["files"]["weights"]["name"] = name
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(RunFolderError, match=r"checkpoints\.0\.files\.weights\.name must be of the form"):
        load_run(folder)


@pytest.mark.slow
def test_reading_takes_about_twice_the_size_of_a_file(tmp_path: Path) -> None:
    run = make_run(tmp_path, 1)
    size = 2**25
    save_run(with_training(run, tensors={"big": np.ones(size, np.uint8), "b": np.ones(2**18)}))
    del run
    tracemalloc.start()
    try:
        load_run(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size


# Damage by the thousand is in tests/test_bad_input.py


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 200_000,
        '{"format": 1' + "0" * 1_000_000 + "}",
        '{"format": ' + "9" * 4000 + "}",
        '{"format": 1.0}',
        '{"format": true}',
        '{"format": 0}',
        "null",
        "[]",
        "\ufeff{}",
        "x" * (MAX_MANIFEST_BYTES + 1),
        "[" + "[]," * 1_000_000 + "0]",
    ],
)
def test_manifests_made_to_exhaust_are_refused(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(RunFolderError) as caught:
        load_run(folder)
    assert "manifest.json" in one_sentence(caught.value)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_save_writes_to_no_file_outside_its_folder(
    two_saves: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """Every file of a run folder is a link to one elsewhere: a save replaces the links or is refused."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "run"
    shutil.copytree(two_saves, elsewhere)
    (elsewhere / ".manifest.json.tmp").write_bytes(b"mine")
    folder.mkdir()
    for path in elsewhere.iterdir():
        link(folder / path.name, path)
    before = contents(elsewhere)
    with suppress(RunFolderError):
        save_run(make_run(folder, 8))
        assert_same(load_run(folder), make_run(folder, 8))
    assert contents(elsewhere) == before
