"""Which arithmetic a training uses where it is left open."""

from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Arithmetic = Literal["fp32", "bf16", "fp16"]


def arithmetic_for(precision: Precision, device: torch.device) -> Arithmetic:
    """``precision``; "auto" is bf16 where ``device`` has instructions for it (half the time), else fp32.

    A CPU without them computes bf16 too, many times slower than fp32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _cpu_computes_bf16() else "fp32"


def _cpu_computes_bf16() -> bool:
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.11 does not tell
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
