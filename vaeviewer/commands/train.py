"""``vaeviewer train``."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaeviewer.backend.config import Settings, suited
from vaeviewer.commands.flags import FIELDS, flag, settings_of
from vaeviewer.commands.progress import opening_bar, progress_bar
from vaeviewer.commands.reading_flags import given_flags, reading_of
from vaeviewer.commands.signals import SIGNALLED, USER_ERROR, interrupt_flag
from vaeviewer.commands.speech import as_json, complain, note, say, terms_line
from vaeviewer.counts import counted
from vaeviewer.errors import RunFolderError, SettingsError, UserError

if TYPE_CHECKING:
    from vaeviewer.backend.data import Reading
    from vaeviewer.backend.data.base import ImageDataset
    from vaeviewer.backend.runs.autosave import Autosave
    from vaeviewer.backend.training.failure import Failure
    from vaeviewer.backend.training.findings import Finding
    from vaeviewer.backend.training.trainer import Trainer

BESIDE_RESUME = ("epochs", "device", "engine")
"""Settings that may be given another value when a run is resumed."""


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
        if options.set_hidden is None:
            settings = suited(settings, dataset.image)
    else:
        raise SettingsError(
            "--out RUN must name a folder for a new run, or --resume RUN a run to go on with."
        )
    with interrupt_flag() as interrupted:
        from vaeviewer.backend.runs.autosave import SAVE_SECONDS, Autosave
        from vaeviewer.backend.training.affinity import any_core
        from vaeviewer.backend.training.trainer import Trainer

        failures = _Failures()
        autosave = Autosave(
            out,
            on_saved=failures.forget,
            on_failed=failures.tell,
            interval_s=options.save_every or SAVE_SECONDS,
        )
        problem, saved_in, start = None, out, time.perf_counter()
        try:
            if dataset is None:
                trainer = _opened(options, settings, autosave)
            else:
                trainer = Trainer(dataset, settings)
                autosave.take()
            trains, before = trainer.family.capabilities.trains, trainer.step_count
            if trains:
                start = time.perf_counter()
            try:
                _train_on(trainer, autosave, interrupted, options.stop_after)
            finally:
                any_core()
            seconds = time.perf_counter() - start
            if not trainer.held_out_is_current:
                trainer.evaluate(record=not trains)
            try:
                autosave.close(trainer)
            except RunFolderError as error:  # what was found out is told all the same
                problem = str(error)
                failures.tell(problem)
                saved_in = _save_elsewhere(trainer) or out
        except BaseException:
            autosave.close(None)
            raise

    report = {
        "run": str(saved_in),
        **_report(trainer, trainer.step_count - before, seconds),
        "interrupted": bool(interrupted),
        "problem": problem,
    }
    if options.json:
        say(as_json(report))
    else:
        _say_report(trainer, report)
        if problem is None:
            say(f"saved in {out}")
    if problem is not None:
        return USER_ERROR
    return SIGNALLED + interrupted[0] if interrupted else 0


def _report(trainer: Trainer, steps: int, seconds: float) -> dict[str, Any]:
    """What was trained in so many steps, and how good it is."""
    settings, held_out = trainer.settings, trainer.held_out
    return {
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
        "images_per_s": round(steps * trainer.batch_size / seconds, 1),
        "protocol": settings.train.protocol,
        "likelihood": getattr(settings.model, "likelihood", None),
        "latent_dim": settings.model.latent_dim,
        "seed": settings.train.seed,
        "held_out": held_out
        and {
            **held_out.values,
            **trainer.family.derived(settings.model, trainer.dataset.image, held_out.values),
            "images": len(trainer.dataset.held_out_images),
            "samples": held_out.samples,
        },
    }


def _say_report(trainer: Trainer, report: dict[str, Any]) -> None:
    on = f"on {trainer.device.type}, {counted(trainer.threads, 'thread')}"
    if trainer.family.capabilities.trains:
        epochs = "1 epoch" if trainer.epoch == 1 else f"{trainer.epoch:g} epochs"
        say(
            f"{epochs}, {counted(trainer.step_count, 'step')} in {report['seconds']:.1f} s "
            f"({report['images_per_s']:,.0f} images/s {on}, {trainer.mode}: {trainer.engine_reason})"
        )
    else:
        say(f"solved in {report['seconds']:.2f} s ({on}): there is nothing to train")
    say(terms_line(trainer.held_out, trainer.settings, trainer.dataset.image))


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    """A run that is resumed has its own settings, data and folder.

    Raises:
        SettingsError: Something on the command line says otherwise; the sentence names it.
    """
    given = [name for name in ("out", "family", "preset", "dataset") if getattr(options, name) is not None]
    given += [name for name in FIELDS if getattr(options, f"set_{name}") is not None]
    refused = [flag(name) for name in given if name not in BESIDE_RESUME] + given_flags(options)
    if refused:
        raise SettingsError(
            f"--resume goes on with the run's own folder, settings and data; leave out {', '.join(refused)}."
        )


def _new_run(options: argparse.Namespace) -> tuple[ImageDataset, Path]:
    """The data asked for, and the folder, made for a new run."""
    from vaeviewer.backend.runs.folder import prepare_folder

    reading, out = reading_of(options), options.out.absolute()
    missing = [folder for folder in (out, *out.parents) if not os.path.lexists(folder)]
    try:
        prepare_folder(out)
        return _load(options.dataset, options.data, reading), out
    except BaseException:  # Ctrl-C while data are fetched, too
        for folder in missing:
            with suppress(OSError, ValueError):
                folder.rmdir()
        raise


def _opened(options: argparse.Namespace, settings: Settings, autosave: Autosave) -> Trainer:
    """The run that ``--resume`` names, with the epochs and on the device asked for."""
    from vaeviewer.backend.runs import restore

    autosave.claim()
    given = {name: getattr(options, f"set_{name}") for name in ("device", "engine")}
    compute = {name: value for name, value in given.items() if value is not None}
    trainer = restore.open_run(autosave.folder, data=options.data, compute=compute, tell=note)
    autosave.adopt(trainer)
    if options.set_epochs is not None:
        epochs = settings.train.epochs
        if epochs < trainer.epoch:
            raise SettingsError(
                f"--epochs must be at least {math.ceil(trainer.epoch)}, as {autosave.folder} has trained for "
                f"{trainer.epoch:,.1f}, but is {epochs}."
            )
        trainer.change("epochs", epochs)
    if trainer.finished and trainer.family.capabilities.trains:
        note(f"{autosave.folder} has its {counted(trainer.planned_epochs, 'epoch')}; --epochs N trains to N")
    return trainer


def _train_on(trainer: Trainer, autosave: Autosave, interrupted: list[int], stop_after: int | None) -> None:
    """Train to the planned epochs, to ``stop_after`` epochs from here, or to a Ctrl-C or what is like it.

    Where memory runs out, the batch is halved and training goes on from the last good state.

    Raises:
        UserError: Training failed, and the user can do something about it; the last good state is saved.
        Exception: Training failed in a way that nobody foresaw; the last good state is saved.
    """
    from vaeviewer.backend.training import loop
    from vaeviewer.backend.training.failure import Kind, describe_failure
    from vaeviewer.backend.training.recovery import Eased, with_smaller_batches
    from vaeviewer.session.failure_sentences import eased

    last = math.inf if stop_after is None else trainer.epoch + stop_after
    autosave.begin(trainer)
    trainer.cores.stay(give_way_to_window=False)
    with progress_bar(trainer) as show_progress:
        told: Finding | None = None

        def after_block() -> None:
            nonlocal told
            show_progress()
            if trainer.finding is not None and trainer.finding != told:
                told = trainer.finding
                note(told.sentence)
            autosave.after_block(trainer)

        def train() -> None:
            loop.train(
                trainer,
                go_on=lambda: 0 if interrupted else trainer.batches.until(last),
                after_block=after_block,
            )

        def attempt(action: Callable[[], None]) -> Failure | None:
            try:
                action()
            except Exception as error:
                failure = describe_failure(error)
                if failure.kind is Kind.OTHER:
                    note(f"training failed; {_save_good_state(trainer, autosave)}")
                    raise
                return failure
            return None

        def tell(change: Eased) -> None:
            note(eased(change.failed_size, change.batch_size, change.step).removesuffix("."))

        failure = with_smaller_batches(train, lambda: trainer, attempt=attempt, tell=tell)
    if failure is None:
        return
    saved = _save_good_state(trainer, autosave, device_lost=failure.kind is Kind.DEVICE)
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


def _save_good_state(trainer: Trainer, autosave: Autosave, *, device_lost: bool = False) -> str:
    """Save the state before training failed; returns where it is, in words."""
    from vaeviewer.backend.training.failure import describe_failure
    from vaeviewer.backend.training.recovery import in_good_state

    def attempt(action: Callable[[], None]) -> Failure | None:
        try:
            action()
        except Exception as error:
            return describe_failure(error)
        return None

    trainer = in_good_state(trainer, device_lost=device_lost, attempt=attempt)
    folder: Path | None = autosave.folder
    try:
        autosave.save_now(trainer, in_training=False)
    except RunFolderError as error:
        note(str(error))
        folder = _save_elsewhere(trainer)
    step = f"step {trainer.step_count:,}"
    return f"{step} is saved in {folder}" if folder else f"{step} could not be saved"


def _save_elsewhere(trainer: Trainer) -> Path | None:
    """Save a run that its own folder does not take among the user's runs, so that nothing trained is lost.

    Returns:
        Where, or ``None`` if nothing can be saved there either.
    """
    from vaeviewer import paths
    from vaeviewer.backend.runs.copying import copy_of_run
    from vaeviewer.backend.runs.lock import make_new_folder
    from vaeviewer.backend.runs.saving import save_run

    folder = make_new_folder(paths.new_run_folder)
    try:
        save_run(copy_of_run(trainer, folder))
    except RunFolderError:
        with suppress(OSError):
            folder.rmdir()
        return None
    note(f"the run is saved in {folder} instead")
    return folder


def _load(key: str | None, path: Path | None, reading: Reading | None) -> ImageDataset:
    from vaeviewer.backend.data import BUNDLED, load_dataset

    if key is None:
        key = BUNDLED if path is None else "folder"
    if key == BUNDLED and reading is not None:
        raise SettingsError("the bundled digits are read as they are; leave out how, or name --data.")
    with opening_bar(fetches=path is None) as progress:
        dataset = load_dataset(key, path, reading=reading, progress=progress)
    skipped = len(dataset.report.skipped) if dataset.report else 0
    if skipped:
        note(f"{counted(skipped, 'file was', 'files were')} skipped; vaeviewer inspect {path} names them")
    return dataset


class _Failures:
    """Says why a save failed: once, until a save succeeds."""

    def __init__(self) -> None:
        self._told = ""

    def tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            complain(f"vaeviewer: {sentence}")

    def forget(self, _step: int) -> None:
        self._told = ""
