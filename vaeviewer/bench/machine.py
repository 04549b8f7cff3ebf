"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from vaeviewer.backend.config import Settings
from vaeviewer.backend.training.device import multiplies_bfloat16, resolve_device, use_threads
from vaeviewer.native.cores import available_cores


def describe() -> dict[str, Any]:
    """Processor, cores, threads, versions, and whether there are instructions for bfloat16 products."""
    compute = Settings().compute
    device = resolve_device(compute.device)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_available": available_cores(),
        "threads": use_threads(compute.threads),
        "bfloat16": multiplies_bfloat16(torch.device("cpu")),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "platform": platform.platform(),
        "versions": {
            "vaeviewer": version("vaeviewer"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "pyside6": version("PySide6-Essentials"),
            "pyqtgraph": version("pyqtgraph"),
            "numpy": version("numpy"),
        },
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
