"""The precision of the forward: which one the processor is made for, and how it is applied."""

import contextlib

import torch

from margin_bench.errors import ConfigError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(name: str, device: torch.device) -> str:
    """`fp32`, `bf16` or `fp16`; for `auto` the fastest that the device computes natively.

    Raises:
        ConfigError: fp16 on a CPU, which has no fast path for it.
    """
    if name == "fp16" and device.type == "cpu":
        raise ConfigError("precision=fp16 needs a GPU; take precision=bf16 or precision=fp32 here")
    if name != "auto":
        return name
    return "bf16" if _has_bf16(device) else "fp32"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The context of a forward; float32 parameters, cast operation by operation."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, DTYPES[precision])
