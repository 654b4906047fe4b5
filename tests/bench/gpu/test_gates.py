"""No time is given for what is wrong, and switches do what they say."""

import importlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from framecast.bench.gpu import kernels, models, switches
from framecast.bench.gpu.cases import Case, cases, shrunk
from framecast.bench.gpu.denoise import WORKLOADS
from framecast.bench.gpu.module import Workload, missing, ops_called, ready
from framecast.bench.gpu.profile import table
from framecast.bench.gpu.rows import reason
from framecast.bench.gpu.scale import TINY
from framecast.bench.gpu.switches import (
    EAGER,
    FP8,
    OURS,
    UNCOMPILED,
    Rung,
    Switches,
    applied,
    climbing,
    leaving_out,
    noting,
)
from framecast.bench.gpu.timing import Timing
from framecast.kernels import switches as kernel_switches
from framecast.kernels.shapes import shapes

CPU = torch.device("cpu")


def _case(op: str) -> Case:
    shape = next(shape for shape in shapes() if shape.op == op)
    return next(cases(shrunk(shape), CPU, torch.float32))


@pytest.mark.parametrize("op", kernel_switches.OPS)
def test_a_wrong_kernel_gets_a_reason_and_no_time(op: str) -> None:
    case = _case(op)

    def off() -> tuple[torch.Tensor, ...]:
        return tuple(out + 1 if out.dtype is torch.uint8 else out * 1.001 for out in case.ours())

    assert kernels.row((case,), TINY, compiled=False)["ours_us"] > 0
    row = kernels.row((replace(case, ours=off),), TINY, compiled=False)
    assert "is off by" in row["ours_refused"]
    assert "ours_us" not in row
    assert "speedup" not in row
    assert row["eager_us"] > 0


def test_a_kernel_that_does_not_run_or_gives_nan_is_a_result() -> None:
    case = _case("geglu")

    def crash() -> Any:
        raise RuntimeError("illegal address\nmore")

    assert kernels.row((replace(case, ours=crash),), TINY, compiled=False)["ours_refused"] == (
        "RuntimeError: illegal address"
    )
    nan = replace(case, ours=lambda: (case.ours()[0] * float("nan"),))
    assert kernels.row((nan,), TINY, compiled=False)["ours_refused"] == "output a is not finite"


@pytest.mark.parametrize(("workload", "op"), [("step", "guided_step"), ("decode", "yuv420")])
def test_a_reference_has_none_of_our_ops(workload: str, op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a wrong one would be the measure of all others."""
    module = importlib.import_module(f"framecast.kernels.{op}.op")
    real = getattr(module, f"_{op}")
    monkeypatch.setattr(module, f"_{op}", lambda *given: tuple(out // 2 for out in real(*given)))
    work, found = WORKLOADS[workload](TINY), dict[str, bool]()
    for rung in (UNCOMPILED, EAGER):
        with ready(work, rung, TINY, lambda **row: None) as made:
            found[rung.name] = made is not None
    assert found == {UNCOMPILED.name: False, EAGER.name: True}


def test_a_reason_names_the_error_inside_a_compilers_process() -> None:
    words = "An exception occurred in a subprocess:\n\nTraceback (most recent call last):\n  raise\n"
    error = RuntimeError(words + "AssertionError: num_warps must be a power of 2\n\nSet VERBOSE=1 for more\n")
    assert reason(error) == (
        "RuntimeError: An exception occurred in a subprocess: … AssertionError: num_warps must be a power of 2"
    )
    assert reason(ValueError()) == "ValueError: no message"


def test_achieved_is_bytes_over_time() -> None:
    shape = next(shape for shape in shapes() if shape.op == "geglu")  # 131072 × 1280: 1.0 GB
    found = kernels.achieved(shape, 1000.0)
    assert found["tb_s"] == pytest.approx(131072 * 1280 * 3 * 2 / 1e-3 / 1e12)
    assert found["of_copy"] == pytest.approx(found["tb_s"] / 4.3)
    assert found["of_matmul"] == pytest.approx(131072 * 1280 * 6 / 1e-3 / 1e12 / 790)


def test_a_step_that_is_wrong_has_no_time() -> None:
    work = Workload.of("step", models.step(TINY), lambda dtype: models.step_inputs(TINY, dtype), TINY, 1.0)
    rows: list[dict[str, Any]] = []
    wrong = replace(work, reference=tuple(out * 1.01 for out in work.reference))
    with ready(wrong, Rung("eager", Switches.none()), TINY, lambda **row: rows.append(row)) as made:
        assert made is None
    assert rows[0]["refused"].startswith("off by")
    assert "call_us" not in rows[0]


def test_a_wrong_result_says_where() -> None:
    """One frame of four has the half of its luma wrong, by two: a byte may fall to either side, not to the next."""
    work = WORKLOADS["decode"](TINY)
    y, u, v = (plane.clone() for plane in work.reference)
    y[1, ::2] += 2
    assert work.beyond((y, u, v)) == {
        "rows_0": 0.25,
        "values_0": 0.125,
        "rows_1": 0,
        "values_1": 0,
        "rows_2": 0,
        "values_2": 0,
    }
    assert work.wrong((y, u, v)) == "off by 2, allowed is 1"
    assert work.wrong(work.reference) == ""


@pytest.mark.parametrize("rung", [OURS, FP8], ids=lambda rung: rung.name)
def test_every_op_that_is_called_is_in_what_is_compiled(rung: Rung) -> None:
    """A compiler that does not see through a patch computes the same without our ops, which no comparison shows."""
    work = WORKLOADS["step"](TINY)
    called, traced = ops_called(work, rung.switches), set[str]()
    compiler = noting(traced, lambda graph, inputs: graph.forward)
    with torch.no_grad(), applied(work.module, replace(rung.switches, compile=False)) as module:
        for block in switches._blocks(module):
            block.compile(dynamic=False, backend=compiler)
        with torch._dynamo.config.patch(recompile_limit=64):
            module(*work.inputs)
    assert called >= {"geglu", "group_norm_silu", "shift_group_norm_silu", "temporal_attention", "guided_step"}
    assert ("geglu_fp8" in called) == rung.switches.fp8
    assert missing(called, traced) == ""
    assert missing(called, traced - {"geglu", "temporal_attention"}) == "compiled without geglu, temporal_attention"


def test_switches_are_set_and_taken_back() -> None:
    module = models.step(TINY)
    weight = next(parameter for parameter in module.parameters() if parameter.dim() == 4 and parameter.shape[2] > 1)
    patched = lambda: [name for name, part in module.named_modules() if "forward" in part.__dict__]  # noqa: E731
    with applied(module, Switches(geglu=False, compile=False)) as called:
        assert called is module
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert patched()
        assert not kernel_switches.enabled("geglu")
        assert kernel_switches.enabled("guided_step")
    assert kernel_switches.enabled("geglu")
    assert patched() == []
    assert weight.is_contiguous()
    with applied(module, Switches.none()):
        assert patched() == []
        assert not any(map(kernel_switches.enabled, kernel_switches.OPS))


@pytest.mark.parametrize(
    ("switch", "where"),
    [
        ("shared_halves", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1"),
        ("loose_bias", "unet.down_blocks.0.motion_modules.0.proj_out"),
        ("joint_projections", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1"),
        ("fp8", "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_q"),
        ("upsample_conv", "unet.up_blocks.0.upsamplers.0"),
    ],
)
def test_every_patch_has_its_switch(switch: str, where: str) -> None:
    module = models.step(TINY)
    part = module.get_submodule(where)
    before = dict(part.__dict__)
    kept = {name for name, _ in part.named_buffers()}

    def touched() -> bool:
        """By this patch: others may stand behind it."""
        marks = {"shared_halves": "_wrapped_forward", "joint_projections": "_kept_by_patches"}
        return marks.get(switch, "forward") in part.__dict__

    rest = replace(Switches(fp8=True), **{switch: False})
    with applied(module, rest, compile_=False):
        assert not touched()
    with applied(module, Switches(fp8=True), compile_=False):
        assert touched()
    assert part.__dict__.keys() == before.keys()
    assert {name for name, _ in part.named_buffers()} == kept


def test_blocks_are_compiled_one_by_one_and_let_go() -> None:
    module = models.step(TINY)
    compiled = lambda: [name for name, part in module.named_modules() if part._compiled_call_impl is not None]  # noqa: E731
    with applied(module, Switches(), compile_=False) as called:
        assert called is module
        assert "unet.down_blocks.0.resnets.0" in compiled()
    assert compiled() == []
    with applied(module, Switches(regional=False), compile_=False):
        assert compiled() == []


def test_a_patch_that_refuses_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> int:
        raise ValueError("fp8: too old")

    monkeypatch.setattr("framecast.bench.gpu.switches.patch_fp8", refuse)
    module = models.step(TINY)
    with pytest.raises(ValueError, match="too old"), applied(module, Switches(fp8=True)):
        pass
    assert not any("forward" in part.__dict__ for part in module.modules())


def test_ladders_change_one_switch_a_rung() -> None:
    climbed = climbing()
    assert climbed[0].switches == Switches.none()
    assert climbed[-1].switches == replace(Switches(), fp8=True)
    assert climbed[-2].switches == Switches()
    for below, above in pairwise(climbed):
        changed = [
            name for name in vars(above.switches) if getattr(above.switches, name) != getattr(below.switches, name)
        ]
        assert above.name == f"+ {changed[0]}"
        assert len(changed) == 1
    assert len(leaving_out(compiled=True)) == len(vars(Switches()))  # all, and all but each; fp8 is never on
    assert not any(rung.switches.fp8 for rung in leaving_out(compiled=True))
    assert not any(rung.switches.compile for rung in leaving_out(compiled=False))


def test_calls_in_a_row_are_timed_as_one_each() -> None:
    case = _case("geglu")
    called: list[int] = []

    def count(index: int) -> tuple[torch.Tensor, ...]:
        called.append(index)
        return case.ours()

    alike = tuple(replace(case, ours=lambda index=index: count(index)) for index in range(3))
    row = kernels.row(alike, TINY, compiled=False)
    assert row["in_a_row"] == 3
    assert set(called) == {0, 1, 2}
    assert called.count(0) == called.count(1) + 1, "the first is checked before it is timed"
    timing = Timing(30.0, 27.0, 36.0, 5, graph=False)
    assert timing.each(3) == Timing(10.0, 9.0, 12.0, 5, graph=False)


def test_the_profile_names_the_longest_kernels_and_loses_no_time() -> None:
    kernels_seen = [("a", 2, 10.0), ("b" * 200, 1, 60.0), ("c", 3, 20.0), ("d", 1, 10.0), ("host", 1, 0.0)]
    rows = table(kernels_seen, 2)
    assert [row["kernel"] for row in rows] == ["b" * 70, "c", "2 others"]
    assert [row["us"] for row in rows] == [60.0, 20.0, 20.0]
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    assert rows[-1]["calls"] == 3
