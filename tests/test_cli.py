"""The command line, run as a user runs it."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from download_server import noise_set, serving
from PIL import Image
from saboteur import SmallDisk

from vaeviewer import __version__, paths
from vaeviewer.backend.config import value_of
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.runs.lock import RunLock, in_use
from vaeviewer.backend.snapshot import as_grey_levels
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.cli import main

pytestmark = pytest.mark.slow

QUICK = ("--hidden", "16", "--epochs", "1", "--batch-size", "100", "--threads", "1", "--device", "cpu")


def vaeviewer(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    env = {name: value for name, value in env.items() if value != ""}
    return subprocess.run(
        [sys.executable, "-m", "vaeviewer", *map(str, words)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    out = tmp_path_factory.mktemp("runs") / "run"
    done = vaeviewer("train", "--out", out, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_train_reports_what_it_did(trained: tuple[Path, dict[str, object]]) -> None:
    out, report = trained
    assert report["run"] == str(out)
    assert report["device"] == "cpu"
    assert report["threads"] == 1
    assert report["mode"] in ("float32", "bfloat16 products")
    assert str(report["engine_reason"]).startswith(("the fastest for this model", "no fused step: "))
    assert report["epochs"] == 1
    assert report["steps"] == 90
    assert report["protocol"] == "grey"
    assert report["likelihood"] == "bernoulli"
    held_out = report["held_out"]
    assert isinstance(held_out, dict)
    assert held_out["elbo"] == pytest.approx(held_out["reconstruction"] - held_out["kl"], abs=0.01)


def test_training_on_a_data_set_of_the_catalogue_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", "kmnist", "--epochs", "1", "--hidden", "8", "--threads", "1", "--json"]
    with serving(monkeypatch, noise_set(side=8)) as server:
        server.status = 403
        refusal = refused(capsys, "train", "--out", tmp_path / "run", *words)
        assert "KMNIST could not be fetched (the server answered 403); open a folder" in refusal
        server.status = 0
        assert main(["train", "--out", str(tmp_path / "run"), *words]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0, "without a server"
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["data"]["source"]["key"] == "kmnist"


def test_evaluate_finds_the_data_and_the_figures_again(
    trained: tuple[Path, dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = trained
    assert main(["evaluate", str(out), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    held_out = report["held_out"]
    assert isinstance(held_out, dict)
    assert figures["elbo"] == pytest.approx(held_out["elbo"], abs=1e-3)
    assert figures["elbo"] == pytest.approx(figures["reconstruction"] - figures["kl"], abs=0.01)
    assert figures["images"] == 1000
    assert figures["step"] == 90
    assert figures["latent_dim"] == 2
    assert 0.15 < figures["knn5_accuracy"] <= 1
    assert figures["data_as_trained"] is True


def test_images_without_labels_have_no_neighbour_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 9, 12, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    out = tmp_path / "run"
    assert main(["train", "--data", str(tmp_path / "images.npy"), "--out", str(out), *QUICK, "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["knn5_accuracy"] is None
    assert main(["evaluate", str(out)]) == 0
    assert "no labels, so there is no nearest-neighbour accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_run_without_held_out_images_is_evaluated_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], network: str
) -> None:
    np.savez(
        tmp_path / "few.npz",
        images=np.eye(10)[[0, 1, 2, 3]].reshape(4, 1, 10).repeat(10, 1),
        labels=[0, 1, 2, 3],
    )
    out = tmp_path / "run"
    data = ["--data", str(tmp_path / "few.npz"), "--held-out", "0"]
    assert main(["train", *data, "--out", str(out), "--network", network, *QUICK]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out)]) == 0
    assert "no images are held out" in capsys.readouterr().out


def test_convolutions_and_bytes_as_bytes_by_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--network", "conv", "--conv-channels", "2", "--dense", "8", "--likelihood", "logistic"]
    out = tmp_path / "run"
    assert main(["train", "--out", str(out), *QUICK, *flags, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "it is made for fully connected networks" in report["engine_reason"]
    held_out = report["held_out"]
    assert held_out["bits_per_dim"] == pytest.approx(-held_out["elbo"] / (784 * math.log(2)))
    assert 1 < held_out["bits_per_dim"] < 8, "better than any level as probable as any other"
    assert main(["evaluate", str(out)]) == 0
    assert f"bits per dim {held_out['bits_per_dim']:.3f} (grey levels, discretised" in capsys.readouterr().out


def test_export_writes_the_manifold(trained: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    out, _ = trained
    pictures = []
    for spacing in ("equal", "gaussian"):
        file = tmp_path / f"{spacing}.png"
        words = ["export", str(out), "--manifold", str(file), "--size", "5", "--spacing", spacing]
        assert main(words) == 0
        pictures.append(file.read_bytes())
        assert pictures[-1].startswith(b"\x89PNG")
    assert pictures[0] != pictures[1]


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three latent dimensions that stopped after one of two epochs."""
    out = tmp_path_factory.mktemp("deep") / "run"
    words = ("--out", str(out), *QUICK, "--latent-dim", "3", "--epochs", "2", "--stop-after", "1")
    assert main(["train", *words]) == 0
    return out


def test_a_manifold_is_of_the_axes_that_are_named(
    deep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = []
    for axes in ("1,2", "3,1"):
        file = tmp_path / f"{axes}.png"
        assert main(["export", str(deep), "--manifold", str(file), "--size", "3", "--axes", axes]) == 0
        pictures.append(np.array(Image.open(file)))
    capsys.readouterr()
    snapshot = load_run(deep).checkpoint.snapshot
    for picture, corner in zip(pictures, ([-3, 3, 0], [3, 0, -3]), strict=True):
        levels = as_grey_levels(snapshot.decode(np.array([corner], np.float32))[0])
        np.testing.assert_array_equal(picture[:28, :28], levels)
    for axes in ("1,4", "2,2"):
        said = refused(capsys, "export", deep, "--manifold", tmp_path / "m.png", "--axes", axes)
        assert "3 latent dimensions" in said


def test_large_images_have_narrower_layers_unless_their_width_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "large.npy", np.random.default_rng(0).integers(0, 256, (12, 96, 96), np.uint8))
    words = ["train", "--data", str(tmp_path / "large.npy"), "--epochs", "1", "--threads", "1"]
    for name, flags, widths in (
        ("by itself", [], (256, 256, 128)),
        ("as said", ["--hidden", "512,256,128"], (512, 256, 128)),
    ):
        assert main([*words, "--out", str(tmp_path / name), *flags]) == 0
        run = load_run(tmp_path / name)
        assert value_of(run.settings, "hidden") == widths
        assert run.checkpoint.snapshot.weights["encoder.0.weight"].shape == (widths[0], 96 * 96)
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "by itself"), "--epochs", "2"]) == 0
    assert value_of(load_run(tmp_path / "by itself").settings, "hidden") == (256, 256, 128)


def test_a_manifold_is_of_the_class_that_is_named(
    trained: tuple[Path, dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "run", tmp_path / "m.png"
    assert (
        main(["train", "--out", str(out), "--family", "conditional", "--hidden", "8", "--epochs", "1"]) == 0
    )
    snapshot = load_run(out).checkpoint.snapshot
    for words, y in (([], 0), (["--class", "7"], 7)):
        assert main(["export", str(out), "--manifold", str(file), "--size", "3", *words]) == 0
        assert f"of class {y} in" in capsys.readouterr().err
        levels = as_grey_levels(snapshot.decode(np.array([[-3, 3]], np.float32), y)[0])
        np.testing.assert_array_equal(np.array(Image.open(file))[:28, :28], levels)
    assert "one of 0, 1, 2" in refused(capsys, "export", out, "--manifold", file, "--class", "seven")
    assert "does not" in refused(capsys, "export", trained[0], "--manifold", file, "--class", "7")
    assert main(["evaluate", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["family"] == "conditional"
    blank = tmp_path / "blank.npy"
    np.save(blank, np.random.default_rng(0).integers(0, 256, (30, 9, 9), dtype=np.uint8))
    words = ["train", "--out", str(tmp_path / "no"), "--family", "conditional", "--data", str(blank)]
    assert main(words) == 2
    assert "needs the class of each image, and these have none (blank, 27 images)" in capsys.readouterr().err


def test_a_picture_of_a_run_shows_it_as_it_is(deep: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in deep.iterdir() if file.is_file()}
    settings = b"[window]\ntext_size=150\nstate=00\n"
    paths.settings_file().write_bytes(settings)
    done = vaeviewer(deep, "--screenshot", tmp_path / "window.png", "--size", "1000x700")
    assert done.returncode == 0, done.stderr
    assert paths.settings_file().read_bytes() == settings, "the user's own stay as they are"
    assert Image.open(tmp_path / "window.png").size == (1000, 700)
    after = {file.name: file.read_bytes() for file in deep.iterdir() if file.is_file()}
    assert {name: data for name, data in after.items() if "weights" in name} == {
        name: data for name, data in before.items() if "weights" in name
    }


def test_a_picture_waits_for_the_points_that_take_long(tmp_path: Path) -> None:
    words = ("--family", "infogan", "--hidden", "8", "--epochs", "1", "--threads", "1", "--device", "cpu")
    assert main(["train", "--out", str(tmp_path / "run"), *words]) == 0
    done = vaeviewer(tmp_path / "run", "--screenshot", tmp_path / "window.png", "--size", "1280x800")
    assert done.returncode == 0, done.stderr
    middle = np.array(Image.open(tmp_path / "window.png").convert("RGB"))[200:400, 400:800].reshape(-1, 3)
    _, counts = np.unique(middle, axis=0, return_counts=True)
    assert counts.max() < 0.9 * counts.sum(), "the plane has points, not only circles"


def test_a_picture_of_the_window_with_ones_own_images(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for row in range(24):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(folder / f"{row}.png")
    done = vaeviewer(folder, "--screenshot", tmp_path / "window.png", "--epochs", "1", "--size", "1000x700")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "window.png").size == (1000, 700)
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = vaeviewer(empty, "--screenshot", tmp_path / "other.png")
    assert refused.returncode == 2
    assert "holds no images" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_the_same_command_gives_the_same_weights_and_loads_no_qt(
    trained: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    script = (
        "import sys; from vaeviewer.cli import main; code = main(sys.argv[1:]); "
        "assert not {m.split('.')[0] for m in sys.modules} & {'PySide6', 'shiboken6', 'pyqtgraph'}; sys.exit(code)"
    )
    again = tmp_path / "again"
    done = subprocess.run(
        [sys.executable, "-c", script, "train", "--out", str(again), *QUICK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "held-out ELBO" in done.stdout
    first, second = (next(folder.glob("*weights*")).read_bytes() for folder in (trained[0], again))
    assert first == second


RESUMABLE = ("--hidden", "16", "--batch-size", "10", "--threads", "1", "--device", "cpu")
EPOCHS = 10
STEPS = EPOCHS * 900  # two seconds at least, so that a signal comes on the way


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "uninterrupted"
    assert main(["train", "--out", str(out), *RESUMABLE, "--epochs", str(EPOCHS)]) == 0
    return out


def newest(folder: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """The files of a run's newest checkpoint by kind, and what the manifest says of where training was."""
    entry = json.loads((folder / "manifest.json").read_text())["checkpoints"][0]
    files = {kind: (folder / file["name"]).read_bytes() for kind, file in entry.pop("files").items()}
    return files, entry


def begin_training(out: Path, *words: str) -> subprocess.Popen[str]:
    """A command that trains, with some steps on disk already."""
    command = [sys.executable, "-m", "vaeviewer", "train", "--out", str(out), *RESUMABLE, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.perf_counter() + 60
    while time.perf_counter() < end and process.poll() is None:
        if (out / "manifest.json").exists() and summary_of(out).step > 0:
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(process.communicate()[1])


def test_stopped_and_resumed_is_as_if_never_stopped(
    uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = [*RESUMABLE, "--epochs", str(EPOCHS), "--stop-after", "2", "--json"]
    assert main(["train", "--out", str(out), *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["epochs"], report["planned_epochs"]) == (2, EPOCHS)
    summary = summary_of(out)
    assert (summary.epoch, summary.planned_epochs, summary.in_training) == (2, EPOCHS, False)
    assert main(["train", "--resume", str(out)]) == 0
    assert summary_of(out).epoch == EPOCHS
    assert newest(out) == newest(uninterrupted)


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process otherwise there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_and_resumed_is_as_if_never_stopped(
    uninterrupted: Path, tmp_path: Path, how: signal.Signals
) -> None:
    out = tmp_path / "run"
    with begin_training(out, "--epochs", str(EPOCHS), "--save-every", "0.1", "--json") as process:
        assert in_use(out)
        process.send_signal(how)
        output, errors = process.communicate(timeout=30)
    if how is signal.SIGINT:
        assert process.returncode == 130, errors
        assert json.loads(output)["interrupted"] is True
        assert main(["evaluate", str(out)]) == 0
    assert summary_of(out).interrupted is (how is signal.SIGKILL)
    assert 0 < summary_of(out).step < STEPS
    assert main(["train", "--resume", str(out)]) == 0
    assert newest(out) == newest(uninterrupted)


def test_a_run_opened_at_the_checkpoint_before_says_so(
    trained: tuple[Path, dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained[0], out)
    newest_weights = max(out.glob("step-*.weights*"))
    newest_weights.write_bytes(b"")
    picture = str(tmp_path / "picture.png")
    for words in (["export", str(out), "--manifold", picture], ["evaluate", str(out)]):
        assert main(words) == 0
        assert f"note: {newest_weights} cannot be used" in capsys.readouterr().err


def test_a_resumed_run_can_be_given_more_epochs(
    trained: tuple[Path, dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained[0], out)
    assert "at least 1" in refused(capsys, "train", "--resume", out, "--epochs", "0")
    assert main(["train", "--resume", str(out)]) == 0
    assert "--epochs N trains to N" in capsys.readouterr().err
    assert main(["train", "--resume", str(out), "--epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["timeline"] == [{"step": 90, "field": "epochs", "value": 2}]
    assert "at least 2" in refused(capsys, "train", "--resume", out, "--epochs", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("--out", "other"),
        ("--preset", "paper"),
        ("--dataset", "mnist"),
        ("--seed", "3"),
        ("--batch-size", "7"),
    ],
)
def test_what_contradicts_resuming_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, str]
) -> None:
    assert words[0] in refused(capsys, "train", "--resume", tmp_path, *words)


def test_a_run_that_is_open_elsewhere_is_not_resumed(
    capsys: pytest.CaptureFixture[str], trained: tuple[Path, dict[str, object]]
) -> None:
    lock = RunLock(trained[0])
    lock.acquire()
    assert "is open in another window or command" in refused(capsys, "train", "--resume", trained[0])
    lock.release()


def test_a_new_run_is_not_trained_in_a_folder_where_another_one_begins(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lock = RunLock(tmp_path)
    lock.acquire()
    words = ("train", "--out", tmp_path, *QUICK)
    assert "is open in another window or command" in refused(capsys, *words)
    lock.release()
    assert not list(tmp_path.glob("step*"))
    assert main([str(word) for word in words]) == 0


def failing(patch: pytest.MonkeyPatch, error: Exception, *, above: int) -> None:
    """Gradient steps fail on the way where the batch has more than ``above`` images."""
    step = Trainer.step

    def step_or_fail(trainer: Trainer, _most: int) -> None:
        if trainer.step_count >= 100 and trainer.batch_size > above:
            raise error
        step(trainer)

    patch.setattr(Trainer, "step", step_or_fail)


FEW = (*RESUMABLE, "--epochs", "1")


def test_where_memory_runs_out_the_batch_is_halved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, MemoryError(), above=16)
    out = str(tmp_path / "run")
    words = [*FEW, "--batch-size", "40"]  # the last one counts
    assert main(["train", "--out", out, *words]) == 0
    told = capsys.readouterr().err
    assert "not enough memory for batches of 40 images. The batch size is now 20" in told
    assert "not enough memory for batches of 20 images. The batch size is now 10" in told
    assert summary_of(Path(out)).epoch == 1
    assert [change.value for change in load_run(out).timeline] == [10]  # both were made at one step


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory on cpu, even for batches of 8; step 0 is saved in"),
        (RuntimeError("CUDA error: unspecified launch failure"), "--resume it with --device cpu"),
    ],
)
def test_a_failure_in_training_is_a_line_and_the_run_is_kept(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        failing(patch, error, above=0)
        assert main(["train", "--out", str(out), *FEW]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert summary_of(out).in_training is False
    assert main(["train", "--resume", str(out)]) == 0
    assert summary_of(out).epoch == 1


def test_a_mistake_in_the_program_keeps_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    failing(monkeypatch, ZeroDivisionError("on purpose"), above=0)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        main(["train", "--out", str(out), *FEW])
    assert "note: training failed; step 0 is saved in" in capsys.readouterr().err
    assert summary_of(out).in_training is False


def test_train_needs_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refused(capsys, "train")
    assert "--out" in line
    assert "--resume" in line
    assert "not a run folder" in refused(capsys, "train", "--resume", tmp_path)
    assert not list(tmp_path.iterdir())
    assert "--stop-after" in refused(capsys, "train", "--out", tmp_path / "run", "--stop-after", "0")
    assert "--save-every" in refused(capsys, "train", "--out", tmp_path / "run", "--save-every", "nan")


def test_version() -> None:
    assert vaeviewer("--version").stdout == f"vaeviewer {__version__}\n"


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The one line that a refused command leaves on standard error."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    output = capsys.readouterr()
    assert code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1, output.err
    return output.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--latent-dim", "0"], "--latent-dim must be at least 1"),
        (["--epochs", "x"], "--epochs must be a whole number"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--beta", "nan"], "--beta"),
        (["--learning-rate", "-1"], "--learning-rate"),
        (["--hidden", "512,x"], "--hidden"),
        (["--hidden", ""], "--hidden"),
        (["--optimizer", "lion"], "--optimizer must be one of adam, sgd, adagrad"),
        (["--preset", "best"], "--preset must be one of default, paper"),
        (["--dataset", "imagenet"], "imagenet"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--device", "tpu"], "--device"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], says: str
) -> None:
    assert says in refused(capsys, "train", "--out", tmp_path / "run", *words)


def test_cuda_where_there_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert "cuda" in refused(capsys, "train", "--out", tmp_path / "run", "--device", "cuda")


def test_a_folder_that_is_not_empty_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    assert "not empty" in refused(capsys, "train", "--out", tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refused(capsys, "train", "--out", tmp_path / "file" / "run")


def test_damaged_data_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"\x00\x00\x08\x03not images")
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"")
    line = refused(capsys, "train", "--out", tmp_path / "run", "--data", tmp_path)
    assert "idx" in line
    assert not (tmp_path / "run").exists(), "a refused command leaves nothing behind"


def test_a_refused_command_removes_the_folders_that_it_made_and_no_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    for out in (tmp_path / "a" / "b" / "c", tmp_path / "a", tmp_path / "a" / "b" / ("c" * 300)):
        refused(capsys, "train", "--out", out, "--data", tmp_path / "none")
        assert [entry.name for entry in tmp_path.rglob("*")] == ["a"]


def test_runs_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "not a run folder" in refused(capsys, "evaluate", tmp_path)
    assert "not a run folder" in refused(capsys, "export", tmp_path, "--manifold", tmp_path / "m.png")


def test_on_a_full_disk_an_older_picture_stays(
    capsys: pytest.CaptureFixture[str],
    trained: tuple[Path, dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_file: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_files, "sync", full)
    picture = tmp_path / "m.png"
    picture.write_bytes(b"older")
    assert "no space left" in refused(capsys, "export", trained[0], "--manifold", picture, "--size", "3")
    assert picture.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [picture]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a device that is always full is Linux's")
def test_an_answer_that_does_not_fit_is_refused_in_a_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "vaeviewer", "families"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"vaeviewer: the answer could not be written: no space left .*\.\n", done.stderr)


def test_letters_that_a_terminal_lacks_are_written_as_escapes() -> None:
    done = vaeviewer("families", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xe9" in done.stdout  # é
    answer = vaeviewer("families", "--json", PYTHONIOENCODING="ascii").stdout
    assert "é" in "".join(family["sentence"] + family["source"] for family in json.loads(answer))


@pytest.mark.skipif(sys.platform == "win32", reason="closes the stream as a shell of Unix does")
def test_a_program_started_without_standard_error_answers(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 8, 8), np.uint8))
    command = [sys.executable, "-m", "vaeviewer", "inspect", str(tmp_path / "a.npy")]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, preexec_fn=partial(os.close, 2)
    )
    assert done.returncode == 0
    assert done.stdout.startswith("20 images of 8×8 pixels")


def test_pictures_need_a_name_that_fits(
    capsys: pytest.CaptureFixture[str], trained: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    out, _ = trained
    assert ".png" in refused(capsys, "export", out, "--manifold", tmp_path / "m.gif")
    told = refused(capsys, "export", out, "--manifold", tmp_path / "no" / "m.png")
    assert "could not be written: no such file or directory; choose another place." in told
    assert ".png" in refused(capsys, "--screenshot", tmp_path / "m.gif")
    assert "1280x800" in refused(capsys, "--screenshot", tmp_path / "m.png", "--size", "big")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are named so on Linux")
@pytest.mark.parametrize("display", ["", ":987"])
def test_no_display_is_one_line(display: str) -> None:
    done = vaeviewer(DISPLAY=display, WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "display" in done.stderr
    assert "vaeviewer train" in done.stderr


def test_a_missing_library_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a bare Debian, where importing PySide6 fails for want of libEGL."""
    import vaeviewer.display as display

    monkeypatch.setitem(sys.modules, "PySide6.QtWidgets", None)
    assert "apt install" in refused(capsys)
    assert "libegl1" in display.DEBIAN_PACKAGES


@pytest.mark.skipif(sys.platform == "win32", reason="signals end a process otherwise there")
def test_being_told_to_end_is_like_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with begin_training(out, "--epochs", "1000", "--save-every", "0.1", "--json") as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # as some who end programs do; the save is not cut short
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "")
    report = json.loads(output)
    assert report["interrupted"] is True
    assert summary_of(out).step == report["steps"] > 0
    assert not summary_of(out).in_training


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are others there")
def test_a_terminal_that_is_closed_costs_no_step(tmp_path: Path) -> None:
    """The signal comes, and whatever is written from then on fails."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        pytest.skip("these tests run so that a terminal may be closed, and so does what they start")
    import fcntl
    import pty
    import termios

    out = tmp_path / "run"
    command = [sys.executable, "-m", "vaeviewer", "train", "--out", str(out), *RESUMABLE, "--epochs", "1000"]
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*command, "--save-every", "1000"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=partial(fcntl.ioctl, slave, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(slave)
        shown = b""
        while not re.search(rb"\b[1-9]\d*/\d+ \[", shown):  # the progress bar, some steps on
            shown += os.read(master, 1000)
        os.close(master)
        assert process.wait(30) == 129
    assert summary_of(out).step > 0
    assert not summary_of(out).in_training


COUNTS = (
    "5.0",
    "2.5",
    "abc",
    "",
    " ",
    "-1",
    "0",
    "1e400",
    "-inf",
    "nan",
    "9" * 5000,
    "1_0_",
    "²",
    "0x10",
    "True",
)


def is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a command line is refused as one that the user can mend: one line, exit code 2."""
    try:
        code = main(words)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 0
    errors = capsys.readouterr().err
    if code == 0:
        return False
    assert code == 2, errors
    assert errors.startswith("vaeviewer")
    assert errors.count("\n") == 1, errors
    assert len(errors) < 1000
    return True


NUMBERS = (
    "epochs",
    "batch-size",
    "learning-rate",
    "beta",
    "samples",
    "seed",
    "threads",
    "latent-dim",
    "hidden",
    "conv-channels",
    "dense",
    "residual-blocks",
)


@pytest.mark.parametrize("flag", NUMBERS)
def test_a_setting_that_is_no_such_number_is_is_refused(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in COUNTS:
        if is_refused(["train", f"--{flag}", text], capsys):
            continue
        raise AssertionError("without --out nothing is trained")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--out", "nowhere/run", "--data", "nowhere", "--stop-after"],
        ["train", "--out", "nowhere/run", "--data", "nowhere", "--save-every"],
        ["export", "nowhere", "--manifold", "m.png", "--size"],
        ["--screenshot", "nowhere/w.png", "--epochs"],
        ["--screenshot", "nowhere/w.png", "--size"],
    ],
    ids=lambda words: f"{words[0].strip('-')} {words[-1]}",
)
def test_a_number_of_a_command_is_is_refused(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in COUNTS:
        assert is_refused([*words, text], capsys), text


@pytest.mark.parametrize(
    "words",
    [["inspect"], ["train", "--out", "run", "--data"], ["train", "--out"], ["evaluate"], ["--screenshot"]],
)
def test_an_empty_name_is_not_the_folder_one_is_in(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", np.zeros((20, 8, 8), np.uint8))
    with pytest.raises(SystemExit, match="2"):
        main([*words, ""])
    assert "is empty" in capsys.readouterr().err


def test_resuming_takes_epochs_as_a_new_run_does(
    trained: tuple[Path, dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    shutil.copytree(trained[0], out)
    for text in COUNTS[1:]:
        assert is_refused(["train", "--resume", str(out), "--epochs", text], capsys), text
    assert main(["train", "--resume", str(out), "--epochs", "2.0"]) == 0
    assert summary_of(out).epoch == 2


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--out", "LONG"],
        ["train", "--out", "run", "--data", "LONG"],
        ["train", "--resume", "LONG"],
        ["evaluate", "LONG"],
        ["export", "LONG", "--manifold", "m.png"],
        ["export", "RUN", "--manifold", "LONG.png"],
        ["--screenshot", "LONG/window.png"],
    ],
    ids=lambda words: " ".join(words),
)
def test_a_name_that_no_file_can_have_is_is_refused(
    words: list[str],
    trained: tuple[Path, dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"LONG": "n" * 300, "RUN": str(trained[0])}
    words = [names.get(word, word.replace("LONG", names["LONG"])) for word in words]
    assert is_refused(words, capsys)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["run"])


def test_a_run_that_cannot_be_saved_is_told_once_and_saved_among_the_users_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    SmallDisk(monkeypatch, out, 100)
    words = ["train", "--out", str(out), "--hidden", "16", "--batch-size", "10", "--threads", "1"]
    assert main([*words, "--epochs", "2", "--save-every", "0.1", "--json"]) == 2
    answer = capsys.readouterr()
    report = json.loads(answer.out)
    assert answer.err.splitlines() == [
        f"vaeviewer: {report['problem']}",
        f"note: the run is saved in {report['run']} instead",
    ]
    assert "no space left on device" in report["problem"]
    assert report["steps"] == 2 * 900
    assert report["held_out"]["elbo"] < 0
    assert summary_of(Path(report["run"])).step == report["steps"]
    assert Path(report["run"]).parent == paths.runs_dir()


def test_where_nothing_can_be_saved_that_is_told_once_and_the_figures_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(file: BinaryIO, *parts: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_files, "write", write)
    assert main(["train", "--out", str(tmp_path / "run"), *QUICK, "--json"]) == 2
    answer = capsys.readouterr()
    report = json.loads(answer.out)
    assert answer.err == f"vaeviewer: {report['problem']}\n"
    assert report["held_out"]["elbo"] < 0
    assert not list(paths.runs_dir().iterdir())
