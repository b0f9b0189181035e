"""What the machine offers: the device to train on, and whether it computes in bfloat16 rather than emulating it."""

from __future__ import annotations

import os

import torch

from course_lib.errors import CourseError

ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"
"""Environment variable by which a machine is held to an older one's instructions, as a test of what those would do."""
WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


def default_device() -> torch.device:
    """The fastest kind of device present: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def find_device(name: torch.device | str | None = None) -> torch.device:
    """The device of this name, as "cpu", "cuda", "cuda:1" or "mps"; None is `default_device`.

    Raises:
        CourseError: the machine has no such device; the message lists those it has.
    """
    if name is None:
        return default_device()
    here = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    here += ["mps"] if torch.backends.mps.is_available() else []
    if str(name) not in here and not any(kind.startswith(f"{name}:") for kind in here):
        raise CourseError(f"there is no device {str(name)!r} here; use {' or '.join(here)}.")
    return torch.device(name)


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 arithmetic is in the device's hardware: AMX or AVX512-BF16 in a CPU, Ampere or later in a GPU.

    Anything else says no, also where PyTorch would run bfloat16 slowly by converting to float32 and back, or where
    `ONEDNN_MAX_CPU_ISA` leaves out what the CPU has.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if os.environ.get(ONEDNN_LIMIT, "").upper() in WITHOUT_BF16:
        return False
    return device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def autocast(device: torch.device, bf16: bool | None) -> torch.autocast:
    """The context in which a model runs forward: bfloat16 if `bf16`, float32 if not, what the machine has if None."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device) if bf16 is None else bf16)
