"""Which precision a device gets."""

import pytest
import torch

from margin_bench.errors import ConfigError
from margin_bench.records.record import environment
from margin_bench.runtime.precision import autocast, resolve_precision, set_tf32

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 avx512_bf16", "bf16"), ("amx_bf16 amx_tile", "bf16"), ("avx2 avx512f", "fp32"), ("", "fp32")],
)
def test_auto_asks_the_processor(monkeypatch, tmp_path, flags, expected):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: X\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr("margin_bench.runtime.hardware.CPUINFO", cpuinfo)
    assert resolve_precision("auto") == expected


def test_a_named_precision_is_taken():
    assert resolve_precision("fp32") == "fp32"
    assert resolve_precision("bf16") == "bf16"


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ConfigError, match="precision=bf16 or precision=fp32"):
        resolve_precision("fp16")


@pytest.mark.parametrize(("precision", "may_round"), [("fp32", False), ("bf16", True)])
def test_float32_is_not_rounded_to_tf32_where_it_is_asked_for(precision, may_round):
    set_tf32(precision)
    assert torch.backends.cudnn.allow_tf32 == may_round
    assert environment()["hardware"]["tf32"] == may_round


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_forward_computes_in_the_precision(precision, dtype):
    layer = torch.nn.Linear(4, 2)
    with autocast(precision, CPU):
        assert layer(torch.zeros(1, 4)).dtype == dtype
