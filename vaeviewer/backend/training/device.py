"""Where training computes, and with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vaeviewer.backend.training.cpu_quota import cpu_quota
from vaeviewer.errors import SettingsError
from vaeviewer.native.cores import available_cores


def resolve_device(name: str) -> torch.device:
    """The device a setting names; ``auto`` takes CUDA, then MPS, then the CPU, whichever really computes.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        SettingsError: The device named is not there, or is there and fails a tiny computation.
    """
    if name == "auto":
        return next(torch.device(n) for n in _present() if computes(n))
    if name not in _present():
        raise SettingsError(f"device: this machine offers PyTorch no {name}; use auto or cpu.")
    if not computes(name):
        raise SettingsError(f"device: {name} is there but fails to compute; use auto or cpu.")
    return torch.device(name)


def computes(name: str) -> bool:
    """Whether a tiny matrix product on the device gives the right number. "Available" alone is no proof."""
    try:
        ones = torch.ones(8, 8, device=name)
        return bool((ones @ ones).sum().item() == 512.0)
    except (RuntimeError, AssertionError):
        return False


def use_repeatable_kernels(device: torch.device) -> None:
    """Let cuDNN choose convolutions that add up in one order each time, so that a run gives the same weights again."""
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True


def product_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The number format of the large matrix products: what ``precision`` names, or for ``auto`` the faster one."""
    if precision == "auto":
        return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has instructions for bfloat16 products, so that they are faster than float32's."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def default_threads() -> int:
    """One thread for each core that this process may run on, but no more than a quota of its time gives work to."""
    quota = cpu_quota()
    return available_cores() if quota is None else max(1, min(available_cores(), int(quota)))


def use_threads(count: int) -> int:
    """Let this thread's torch operations use ``count`` processor threads (0: :func:`default_threads`); the number.

    Call it on the training thread: the count belongs to the calling thread.
    """
    count = count or default_threads()
    torch.set_num_threads(count)
    return count


def _present() -> Iterator[str]:
    if torch.cuda.is_available():
        yield "cuda"
    if torch.backends.mps.is_available():
        yield "mps"
    yield "cpu"


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let this thread's torch operations use so many processor threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
