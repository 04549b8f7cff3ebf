"""The commands that need no window: train, evaluate, export. They never import Qt."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from pydantic.fields import FieldInfo

from vaeviewer.backend.config import (
    DEFAULT,
    DEFAULT_FAMILY,
    Settings,
    fields,
    presets,
    protocol_text,
    updated,
)
from vaeviewer.backend.models.registry import families, family
from vaeviewer.errors import RunFolderError, SettingsError, UserError

if TYPE_CHECKING:
    from vaeviewer.backend.data.base import ImageDataset
    from vaeviewer.backend.runs.autosave import Autosave
    from vaeviewer.backend.runs.folder import HeldOut
    from vaeviewer.backend.training.health import Finding
    from vaeviewer.backend.training.trainer import Trainer

USER_ERROR = 2
SIGNALLED = 128
"""Exit codes after a signal are this and its number: 130 after Ctrl-C."""
BESIDE_RESUME = ("epochs", "device", "engine")
"""Settings that may be given another value when a run is resumed."""


def _all_fields() -> dict[str, FieldInfo]:
    """The settings of all families that have a flag, by name."""
    return {name: field for key in families() for _, name, field in fields(presets(key)[DEFAULT])}


FIELDS = _all_fields()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--family``, ``--preset`` and a flag for each setting, named and explained by the field."""
    kinds = ", ".join(families())
    parser.add_argument("--family", metavar="NAME", help=f"the kind of model: {kinds} ({DEFAULT_FAMILY})")
    named = ", ".join(f"{name} ({key})" for key in families() for name in presets(key) if name != DEFAULT)
    parser.add_argument("--preset", metavar="NAME", help=f"where settings start: {DEFAULT}, {named}")
    group = parser.add_argument_group("settings, in place of the preset's")
    for name, field in FIELDS.items():
        # Values stay text here: the settings themselves know what they accept, and say it in a sentence.
        group.add_argument(
            _flag(name),
            dest=f"set_{name}",
            metavar="VALUE",
            help=(field.description or "").replace("%", "%%"),
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that a command line asks for.

    Raises:
        SettingsError: A family, preset or value cannot be used; the sentence names the flag.
    """
    key = options.family or DEFAULT_FAMILY
    if key not in families():
        raise SettingsError(f"--family must be one of {', '.join(families())}, but is {key!r}.")
    known, preset = presets(key), options.preset or DEFAULT
    if preset not in known:
        raise SettingsError(f"--preset must be one of {', '.join(known)}, but is {preset!r}.")
    settings = known[preset]
    own = {name for _, name, _ in fields(settings)}
    for name, field in FIELDS.items():
        text: str | None = getattr(options, f"set_{name}")
        if text is None:
            continue
        if name not in own:
            raise SettingsError(
                f"{_flag(name)} is no setting of the {family(key).title.lower()}; leave it out."
            )
        value: Any = text.split(",") if get_origin(field.annotation) is tuple else text
        try:
            settings = updated(settings, **{name: value})
        except SettingsError as error:
            raise SettingsError(str(error).replace(name, _flag(name), 1)) from None
    return settings


def train(options: argparse.Namespace) -> int:
    """``vaeviewer train``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    settings = settings_of(options)  # mistakes are told first: what follows takes seconds
    if options.resume is not None:
        _refuse_beside_resume(options)
        dataset, out = None, options.resume.absolute()
    elif options.out is not None:
        dataset, out = _new_run(options)
    else:
        raise SettingsError(
            "--out RUN must name a folder for a new run, or --resume RUN a run to go on with."
        )
    with _interrupt_flag() as interrupted:
        from vaeviewer.backend.runs.autosave import SAVE_SECONDS, Autosave
        from vaeviewer.backend.training.affinity import any_core

        failures = _Failures()
        autosave = Autosave(
            out,
            on_saved=failures.forget,
            on_failed=failures.tell,
            interval_s=options.save_every or SAVE_SECONDS,
        )
        problem = None
        try:
            if dataset is None:
                trainer = _opened(options, settings, autosave)
            else:
                from vaeviewer.backend.training.trainer import Trainer

                trainer = Trainer(dataset, settings)
            before, start = trainer.step_count, time.perf_counter()
            try:
                _train_on(trainer, autosave, interrupted, options.stop_after)
            finally:
                any_core()
            seconds = time.perf_counter() - start
            if not trainer.held_out_is_current:
                trainer.evaluate(record=False)
            try:
                autosave.close(trainer)
            except RunFolderError as error:  # what was found out is told all the same
                problem = str(error)
                failures.tell(problem)
        except BaseException:
            autosave.close(None)
            raise

    settings, held_out = trainer.settings, trainer.held_out
    images = (trainer.step_count - before) * trainer.batch_size
    report = {
        "run": str(out),
        "dataset": trainer.dataset.name,
        "images": len(trainer.dataset.train_images),
        "device": trainer.device.type,
        "threads": trainer.threads,
        "family": trainer.family.key,
        "mode": trainer.mode,
        "engine_reason": trainer.engine_reason,
        "epochs": round(trainer.epoch, 4),
        "planned_epochs": trainer.planned_epochs,
        "steps": trainer.step_count,
        "seconds": round(seconds, 3),
        "images_per_s": round(images / seconds, 1),
        "protocol": settings.train.protocol,
        "likelihood": getattr(settings.model, "likelihood", None),
        "latent_dim": settings.model.latent_dim,
        "seed": settings.train.seed,
        "held_out": held_out
        and {
            **held_out.values,
            "images": len(trainer.dataset.held_out_images),
            "samples": held_out.samples,
        },
        "interrupted": bool(interrupted),
        "problem": problem,
    }
    if options.json:
        _say(json.dumps(report))
    else:
        _say(
            f"{trainer.epoch:g} epochs, {trainer.step_count:,} steps in {seconds:.1f} s "
            f"({report['images_per_s']:,.0f} images/s on {trainer.device.type}, {trainer.threads} threads, "
            f"{trainer.mode}: {trainer.engine_reason})"
        )
        _say(_terms_line(held_out, settings))
        if problem is None:
            _say(f"saved in {out}")
    if problem is not None:
        return USER_ERROR
    return SIGNALLED + interrupted[0] if interrupted else 0


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    """A run that is resumed has its own settings, data and folder.

    Raises:
        SettingsError: Something on the command line says otherwise; the sentence names it.
    """
    given = [name for name in ("out", "family", "preset", "dataset") if getattr(options, name) is not None]
    given += [name for name in FIELDS if getattr(options, f"set_{name}") is not None]
    refused = [_flag(name) for name in given if name not in BESIDE_RESUME]
    if refused:
        raise SettingsError(
            f"--resume goes on with the run's own folder, settings and data; leave out {', '.join(refused)}."
        )


def _new_run(options: argparse.Namespace) -> tuple[ImageDataset, Path]:
    """The data asked for, and the folder, made for a new run."""
    from vaeviewer.backend.runs.folder import prepare_folder

    new = not os.path.exists(options.out)  # noqa: PTH110  # Path's own raises where a name is too long
    out = prepare_folder(options.out)
    try:
        return _load(options.dataset, options.data), out
    except UserError:
        if new:
            out.rmdir()
        raise


def _opened(options: argparse.Namespace, settings: Settings, autosave: Autosave) -> Trainer:
    """The run that ``--resume`` names, with the epochs and on the device asked for."""
    from vaeviewer.backend.runs import restore

    autosave.claim()
    given = {name: getattr(options, f"set_{name}") for name in ("device", "engine")}
    compute = {name: value for name, value in given.items() if value is not None}
    trainer = restore.open_run(autosave.folder, data=options.data, compute=compute, tell=_note)
    autosave.adopt(trainer)
    if options.set_epochs is not None:
        epochs = settings.train.epochs
        if epochs < trainer.epoch:
            raise SettingsError(
                f"--epochs must be at least {math.ceil(trainer.epoch)}, as {autosave.folder} has trained for "
                f"{trainer.epoch:g}, but is {epochs}."
            )
        trainer.change("epochs", epochs)
    if trainer.finished:
        _note(f"{autosave.folder} has its {trainer.planned_epochs} epochs; --epochs N trains to N")
    return trainer


def _train_on(trainer: Trainer, autosave: Autosave, interrupted: list[int], stop_after: int | None) -> None:
    """Train to the planned epochs, to ``stop_after`` epochs from here, or to a Ctrl-C or what is like it.

    Where memory runs out, the batch is halved and training goes on from the last good state.

    Raises:
        UserError: Training failed, and the user can do something about it; the last good state is saved.
        Exception: Training failed in a way that nobody foresaw; the last good state is saved.
    """
    from vaeviewer.backend.training import loop
    from vaeviewer.backend.training.failure import Kind, describe_failure, smaller_batches
    from vaeviewer.session.failure_sentences import eased, senseless

    last = math.inf if stop_after is None else trainer.epoch + stop_after
    smaller = smaller_batches(trainer.batch_size)
    autosave.begin(trainer)
    trainer.stay_on_cores(give_way_to_window=False)
    with _progress_bar(trainer) as show_progress:
        told: set[Finding] = set()

        def after_block() -> None:
            show_progress()
            finding = trainer.finding
            if finding is not None and finding not in told:
                told.add(finding)
                _note(senseless(finding))
            autosave.after_block(trainer)

        while True:
            try:
                loop.train(
                    trainer,
                    go_on=lambda: 0 if interrupted else trainer.steps_until(last),
                    after_block=after_block,
                )
                return
            except Exception as error:
                failure = describe_failure(error)
                if failure.kind is Kind.OTHER:
                    kept = _save_good_state(trainer, autosave)
                    _note(f"training failed; step {kept:,} is saved in {autosave.folder}")
                    raise
            # From here on the exception is gone, and with it the memory that its frames held.
            batch_size = next(smaller, None) if failure.kind is Kind.MEMORY else None
            if batch_size is None:
                break
            failed_size = trainer.batch_size
            step = trainer.restore_good_state(batch_size)
            _note(eased(failed_size, batch_size, step).removesuffix("."))
    kept = _save_good_state(trainer, autosave)
    saved = f"step {kept:,} is saved in {autosave.folder}"
    match failure.kind:
        case Kind.MEMORY:
            raise UserError(
                f"there is not enough memory on {trainer.device.type}, even for batches of {trainer.batch_size}; "
                f"{saved}. Close other programs and --resume it, or try fewer --hidden units."
            )
        case Kind.DEVICE:
            raise UserError(
                f"{trainer.device.type} does not answer any more ({failure.reason}); {saved}. "
                "--resume it with --device cpu."
            )
        case _:
            raise SettingsError(f"{failure.reason}; {saved}. Try a lower --learning-rate.")


def _save_good_state(trainer: Trainer, autosave: Autosave) -> int:
    """Save the state before training failed; returns its step."""
    try:
        trainer.restore_good_state()
    except Exception:  # a device that is lost cannot be written to, but the state was kept in ordinary memory
        from vaeviewer.backend.runs.restore import moved_to_cpu

        trainer = moved_to_cpu(trainer)
    autosave.save_now(trainer, in_training=False)
    return trainer.step_count


def evaluate(options: argparse.Namespace) -> int:
    """``vaeviewer evaluate``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from vaeviewer.backend.runs.folder import load_run

    run = load_run(options.run)
    for note in run.notes:
        _note(note)
    from vaeviewer.analysis.neighbours import knn_accuracy
    from vaeviewer.backend.runs import restore
    from vaeviewer.backend.training.trainer import NonFiniteError

    dataset = restore.find_data(run, options.data)
    trainer = restore.trainer_of(run, dataset, {"device": "auto"})
    try:
        held_out = trainer.evaluate()
    except NonFiniteError:
        raise RunFolderError(f"{run.folder} holds weights too large to compute with.") from None
    snapshot = trainer.snapshot()
    codes, accuracy = snapshot.encode(dataset.held_out_images), None
    if codes is not None and snapshot.posterior is not None:
        accuracy = knn_accuracy(
            snapshot.posterior.loc, dataset.train_labels, codes[0], dataset.held_out_labels, k=5
        )
    settings = trainer.settings
    report = {
        "run": str(run.folder),
        "step": trainer.step_count,
        "dataset": dataset.name,
        "images": len(dataset.held_out_images),
        "family": trainer.family.key,
        "latent_dim": settings.model.latent_dim,
        "protocol": settings.train.protocol,
        "likelihood": getattr(settings.model, "likelihood", None),
        "samples": held_out and held_out.samples,
        **(held_out.values if held_out else {}),
        "knn5_accuracy": accuracy,
        "data_as_trained": dataset.source.checksum == run.data.source.checksum,
    }
    if options.json:
        print(json.dumps(report))
    else:
        if not report["data_as_trained"]:
            _note(f"{dataset.name} differs from the data of the run")
        print(
            f"step {trainer.step_count:,}, {len(dataset.held_out_images):,} held-out images of {dataset.name}"
        )
        print(_terms_line(held_out, settings))
        if accuracy is not None:
            print(f"5-nearest-neighbour accuracy of posterior means {accuracy:.4f}")
    return 0


def export(options: argparse.Namespace) -> int:
    """``vaeviewer export``; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    from PIL import Image

    from vaeviewer.analysis.manifold import manifold_picture
    from vaeviewer.backend.runs.folder import load_run

    if options.manifold.suffix.lower() != ".png":
        raise SettingsError(f"--manifold must name a .png file, but is {options.manifold}.")
    if options.size > 100:
        raise SettingsError(f"--size must be at most 100, but is {options.size}.")
    run = load_run(options.run)
    for note in run.notes:
        _note(note)
    if run.settings.model.latent_dim != 2:
        dim = run.settings.model.latent_dim
        raise RunFolderError(
            f"{run.folder} has {dim} latent dimensions; a manifold is drawn for models with 2."
        )
    picture = manifold_picture(run.checkpoint.snapshot, options.size, options.spacing)
    try:
        Image.fromarray(picture).save(options.manifold)
    except OSError as error:
        raise SettingsError(f"{options.manifold} could not be written: {error.strerror or error}.") from None
    print(f"{options.size} × {options.size} images in {options.manifold}", file=sys.stderr)
    return 0


class _Failures:
    """Says why a save failed: once, until a save succeeds."""

    def __init__(self) -> None:
        self._told = ""

    def tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            _complain(f"vaeviewer: {sentence}")

    def forget(self, _step: int) -> None:
        self._told = ""


def _note(sentence: str) -> None:
    _complain(f"note: {sentence}")


def _complain(line: str) -> None:
    with suppress(OSError):  # the terminal may be gone, which is no reason to stop
        print(line, file=sys.stderr)


def _say(line: str) -> None:
    """Print a line of the answer; once nobody reads it, say nothing more."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for what is left of this process


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _load(key: str | None, folder: Path | None) -> ImageDataset:
    from vaeviewer.backend.data import load_dataset

    if key is None:
        key = "mnist-10k" if folder is None else "folder"
    return load_dataset(key, folder)


def _terms_line(held_out: HeldOut | None, settings: Settings) -> str:
    if held_out is None:
        return "no images are held out, so there are no held-out figures"
    terms = [
        f"{metric.title} {held_out.values[metric.key]:.2f} {metric.unit}"
        for metric in settings.family.metrics
    ]
    return f"held-out {', '.join(terms)} ({protocol_text(settings)})"


@contextmanager
def _interrupt_flag() -> Iterator[list[int]]:
    """Yields a list that gets the number of each signal to stop; a second Ctrl-C interrupts at once."""
    flag: list[int] = []

    def note(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in flag:
            raise KeyboardInterrupt
        flag.append(number)

    before = {signal.SIGINT: signal.signal(signal.SIGINT, note)}
    for name in (
        "SIGTERM",
        "SIGHUP",
    ):  # shutting down, and a terminal that is closed, which Windows does not tell
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            before[number] = signal.signal(number, note)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Screen:
    """Standard error for the progress bar, which goes on when the terminal is gone."""

    def isatty(self) -> bool:
        return sys.stderr.isatty()

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def _progress_bar(trainer: Trainer) -> Iterator[Any]:
    """A bar over the planned steps, with the newest held-out ELBO beside it, on standard error if it is a screen."""
    from tqdm import tqdm

    total = trainer.planned_epochs * trainer.steps_per_epoch
    with tqdm(
        total=total, initial=trainer.step_count, unit=" steps", disable=None, leave=False, file=_Screen()
    ) as bar:

        def after_block() -> None:
            best = trainer.family.metrics.headline
            if trainer.held_out is not None:
                value = trainer.held_out.values[best.key]
                bar.set_postfix_str(f"held-out {best.title} {value:.2f}", refresh=False)
            bar.update(trainer.step_count - bar.n)

        yield after_block
