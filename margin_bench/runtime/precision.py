"""Choose the precision of the forward by the processor, and apply it."""

import contextlib

import torch

from margin_bench.errors import ConfigError
from margin_bench.runtime.hardware import cpu_entry

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(name: str) -> str:
    """Return `fp32`, `bf16` or `fp16`; for `auto` bf16 where this machine computes in it natively, else fp32.

    Raises:
        ConfigError: fp16 without a GPU; a CPU has no fast path for it.

    Examples:
        >>> resolve_precision("fp32")
        'fp32'
    """
    if name == "fp16" and not torch.cuda.is_available():
        raise ConfigError("precision=fp16 needs a GPU; take precision=bf16 or precision=fp32 here")
    if name != "auto":
        return name
    return "bf16" if _has_bf16() else "fp32"


def set_tf32(precision: str) -> None:
    """Let a GPU compute float32 as it is named, where that is the precision of the forward.

    In the others cuDNN may round what is left in float32 to TF32, as it does by default.
    """
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = False


def _has_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool({"avx512_bf16", "amx_bf16"} & set(cpu_entry("flags").split()))


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context for a forward in `fp32`, `bf16` or `fp16`: parameters stay float32, operations cast them."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, DTYPES[precision])
