"""Each op as torch sees it: schema, fake tensors, export, compilation, switches and refusals."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from framecast.kernels import switches
from framecast.kernels.checks import on_its_device
from framecast.kernels.fp8.conv import conv_fp8
from framecast.kernels.fp8.conv import pack as pack_fp8
from framecast.kernels.fp8.geglu import geglu_fp8
from framecast.kernels.fp8.naive import quantise
from framecast.kernels.fp8.norm import group_norm_silu_fp8
from framecast.kernels.geglu.op import geglu
from framecast.kernels.group_norm_silu.op import add_group_norm_silu, group_norm_silu, shift_group_norm_silu
from framecast.kernels.guided_step.op import guided_step
from framecast.kernels.temporal_attention.op import temporal_attention
from framecast.kernels.upsample_conv.op import pack, upsample_conv
from framecast.kernels.yuv420.op import launch as yuv420_launch
from framecast.kernels.yuv420.op import yuv420


@dataclass(frozen=True)
class Case:
    """An op with tensors to call it on and the rest of its arguments."""

    op: str
    function: Callable[..., Any]
    tensors: tuple[Tensor, ...]
    rest: tuple[Any, ...] = ()

    @property
    def overload(self) -> Any:
        return getattr(torch.ops.framecast, self.function.__name__).default


def _cases() -> list[Case]:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 12, 5, 7), torch.randn(12), torch.randn(12)
    q, k, v = torch.randn(3, 14, 3, 40).unbind()
    latents, outputs = torch.randn(3, 4, 5, 5), torch.randn(6, 4, 5, 5)
    step = (latents, outputs[:3], outputs[3:], torch.ones(3) * 7, torch.randn(3, 4))
    pixels, kernel = torch.randn(2, 16, 4, 6), torch.randn(32, 16, 3, 3)
    return [
        Case("group_norm_silu", group_norm_silu, (x, weight, bias), (4, 1e-5, True)),
        Case("group_norm_silu", shift_group_norm_silu, (x, x[:1, :, :1, :1], weight, bias), (4, 1e-5, True)),
        Case("group_norm_silu", add_group_norm_silu, (x, x[:, :, :1, :1], weight, bias), (4, 1e-5, True)),
        Case("temporal_attention", temporal_attention, (q, k, v), (7, 2, 0.3, None)),
        Case("geglu", geglu, (torch.randn(3, 5, 16),)),
        Case("guided_step", guided_step, step, (None, None, None)),
        Case("guided_step", guided_step, (*step, latents + 1, latents - 1, torch.rand(3))),
        Case("yuv420", yuv420, (torch.randn(2, 3, 6, 4),)),
        Case("upsample_conv", upsample_conv, (pixels, pack(kernel), torch.randn(32))),
    ]


def _flat(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


@pytest.fixture(params=range(9), ids=lambda index: f"{_cases()[index].function.__name__}-{index}")
def case(request: pytest.FixtureRequest) -> Case:
    return _cases()[request.param]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_opcheck(case: Case, dtype: torch.dtype) -> None:
    keep = {"guided_step": 3}.get(case.op, len(case.tensors))  # guidance and coefficients stay float32
    tensors = tuple(x.to(dtype) if i < keep or i in (5, 6) else x for i, x in enumerate(case.tensors))
    if case.op == "upsample_conv":
        tensors = (tensors[0], pack(torch.randn(32, 16, 3, 3, dtype=dtype)), tensors[2])  # laid out by its dtype
    torch.library.opcheck(case.overload, (*tensors, *case.rest))


def test_export_keeps_one_node(case: Case) -> None:
    class Module(nn.Module):
        def forward(self, *tensors: Tensor) -> Any:
            return case.function(*tensors, *case.rest)

    exported = torch.export.export(Module(), case.tensors)
    calls = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert [call for call in calls if "framecast" in str(call)] == [case.overload]
    assert [call for call in calls if "aten" in str(call)] == []
    for ours, eager in zip(
        _flat(exported.module()(*case.tensors)), _flat(case.function(*case.tensors, *case.rest)), strict=True
    ):
        assert torch.equal(ours, eager)


def test_export_with_dynamic_sizes() -> None:
    class Module(nn.Module):
        def forward(self, x: Tensor, weight: Tensor) -> Tensor:
            x = group_norm_silu(x, weight, weight, 4)  # [B · 2, 8, H, W]
            tokens = x.movedim(1, -1).reshape(x.shape[0], x.shape[2] * x.shape[3], 8)
            return geglu(temporal_attention(tokens, tokens, tokens, 2, 2))

    batch, height = torch.export.Dim("batch", max=64), torch.export.Dim("height", max=2048)
    dynamic = {"x": {0: 2 * batch, 2: height, 3: torch.export.Dim("width", max=2048)}, "weight": None}
    module, weight = Module(), torch.randn(8)
    exported = torch.export.export(module, (torch.randn(4, 8, 6, 5), weight), dynamic_shapes=dynamic)
    x = torch.randn(6, 8, 300, 3)
    torch.testing.assert_close(exported.module()(x, weight), module(x, weight))


def test_launches_can_be_traced(case: Case) -> None:
    """What inductor sees on a GPU: each launch as one node, whatever is optional left out."""
    if case.op == "upsample_conv":  # its launch describes tensors, which tracing does not see: one opaque node
        graph = make_fx(lambda *x: case.function(*x), tracing_mode="fake")(*case.tensors)
        called = [node.target for node in graph.graph.nodes if node.op == "call_function"]
        assert called == [case.overload]
        return
    module = importlib.import_module(f"framecast.kernels.{case.op}.op")
    rest = case.rest
    tensors: tuple[Any, ...] = case.tensors
    if case.function is group_norm_silu:
        tensors = (tensors[0], None, *tensors[1:])
    graph = make_fx(lambda *x: module.launch(*x, *rest), tracing_mode="fake")(*tensors)
    nodes = [str(node.target) for node in graph.graph.nodes if "triton_kernel_wrapper" in str(node.target)]
    two = case.op == "group_norm_silu" or (case.op == "guided_step" and len(tensors) == 8)
    assert nodes == ["triton_kernel_wrapper_mutation"] * (2 if two else 1)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_without_a_break(case: Case, backend: str) -> None:
    graphs: list[list[Any]] = []

    def recorded(graph: Any, inputs: Any) -> Any:
        graphs.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        from torch._dynamo.backends.registry import lookup_backend

        return lookup_backend(backend)(graph, inputs)

    torch._dynamo.reset()
    compiled = torch.compile(lambda *tensors: case.function(*tensors, *case.rest), fullgraph=True, backend=recorded)
    for ours, eager in zip(
        _flat(compiled(*case.tensors)), _flat(case.function(*case.tensors, *case.rest)), strict=True
    ):
        torch.testing.assert_close(ours, eager)
        assert ours.stride() == eager.stride()
    assert len(graphs) == 1
    assert [str(call) for call in graphs[0] if "framecast" in str(call)] == [str(case.overload)]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_gradients_are_those_of_plain_torch(case: Case, compiled: bool) -> None:
    """A model's parameters require them whether anybody asks or not; planes of bytes have none."""
    if case.op == "yuv420":
        return
    torch._dynamo.reset()

    def found(function: Callable[..., Any]) -> tuple[list[Tensor], tuple[Tensor | None, ...]]:
        tensors = [x.clone().requires_grad_() for x in case.tensors]
        results = [out for out in _flat(function(*tensors, *case.rest)) if out.requires_grad]
        total = sum((out * torch.arange(out.numel()).view(out.shape).cos()).sum() for out in results)
        return results, torch.autograd.grad(total, tensors, allow_unused=True)  # type: ignore[arg-type]

    ours = torch.compile(case.function, fullgraph=True, backend="aot_eager") if compiled else case.function
    results, gradients = found(ours)
    with switches.off("all"):
        plain, expected = found(case.function)
    for pair in (*zip(results, plain, strict=True), *zip(gradients, expected, strict=True)):
        assert pair[0] is not None
        torch.testing.assert_close(*pair)


def test_gradients_of_nothing_and_of_gradients() -> None:
    empty = torch.zeros(0, 16, 4, 6, requires_grad=True)
    upsample_conv(empty, pack(torch.randn(32, 16, 3, 3)), torch.randn(32)).sum().backward()
    assert empty.grad is not None
    assert empty.grad.shape == empty.shape
    x = torch.randn(2, 8, 4, requires_grad=True)
    (once,) = torch.autograd.grad(
        group_norm_silu(x, torch.ones(8), torch.zeros(8), 2).square().sum(), x, create_graph=True
    )
    with pytest.raises(RuntimeError, match="differentiate twice"):
        once.sum().backward()


def test_off_is_plain_torch(case: Case) -> None:
    def targets() -> list[str]:
        torch._dynamo.reset()
        found: list[str] = []

        def recorded(graph: Any, inputs: Any) -> Any:
            found.extend(str(node.target) for node in graph.graph.nodes)
            return graph

        torch.compile(lambda *x: case.function(*x, *case.rest), fullgraph=True, backend=recorded)(*case.tensors)
        return [name for name in found if "framecast" in name]

    on = _flat(case.function(*case.tensors, *case.rest))
    assert targets()
    with switches.off(case.op):
        assert not targets()
        for plain, ours in zip(_flat(case.function(*case.tensors, *case.rest)), on, strict=True):
            torch.testing.assert_close(plain, ours)
    assert targets()


def test_empty_inputs(case: Case) -> None:
    tensors = list(case.tensors)
    if case.op == "group_norm_silu":
        tensors[0] = tensors[0][:, :, :0]
        tensors = [
            x[:, :, :0] if i == 1 and x.dim() == 4 and case.function is add_group_norm_silu else x
            for i, x in enumerate(tensors)
        ]
    elif case.op == "upsample_conv":
        tensors[0] = tensors[0][:0]
    else:
        tensors = [x[:0] for x in tensors]
    for function in (case.function, case.overload):
        for out in _flat(function(*tensors, *case.rest)):
            assert out.numel() == 0
    with switches.off("all"):
        assert [out.shape for out in _flat(case.function(*tensors, *case.rest))] == [
            out.shape for out in _flat(case.overload(*tensors, *case.rest))
        ]
    torch.library.opcheck(case.overload, (*tensors, *case.rest))


def test_ops_in_eight_bits() -> None:
    """Their fakes are right, empty inputs stay empty, wrong ones are named."""
    x, weight, scale = torch.randn(2, 16, 5, 6), *pack_fp8(torch.randn(32, 16, 3, 3))
    norm, bias = torch.ops.framecast.group_norm_silu_fp8.default, torch.randn(16)
    opcheck = torch.library.opcheck
    opcheck(norm, (x, None, bias, bias, 4, 1e-5))
    opcheck(norm, (x, x[:1, :, :1, :1], bias, bias, 4, 1e-5))
    opcheck(torch.ops.framecast.geglu_fp8.default, (torch.randn(3, 5, 32),))
    values = quantise(x)
    fakes = ("test_autograd_registration", "test_faketensor")  # torch compares schemas by numbers that e4m3 has not
    opcheck(torch.ops.framecast.conv_fp8.default, (values, weight, scale, torch.randn(32)), test_utils=fakes)
    assert conv_fp8(values[:0], weight, scale, torch.randn(32)).shape == (0, 32, 5, 6)
    assert conv_fp8(values[:, :, :0], weight, scale, torch.randn(32)).shape == (2, 32, 0, 6)
    assert group_norm_silu_fp8(x[:0], None, bias, bias, 4).shape == (0, 16, 5, 6)
    assert geglu_fp8(torch.randn(0, 8))[1].shape == (0, 1)
    for call, message in (
        (lambda: conv_fp8(x, weight, scale, torch.randn(32)), "x: torch.float32"),
        (lambda: conv_fp8(values, weight[:, :9], scale, torch.randn(32)), "weight: shape"),
        (lambda: conv_fp8(values, weight, scale[:3], torch.randn(32)), "scale: shape"),
        (lambda: group_norm_silu_fp8(x, x[:, :, :2], bias, bias, 4), "shift: shape"),
        (lambda: geglu_fp8(torch.randn(3, 5)), "x: shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_registering_twice_is_harmless() -> None:
    module = importlib.import_module("framecast.kernels.geglu.op")
    x = torch.randn(3, 8)
    before = torch.ops.framecast.geglu(x)
    again = importlib.reload(module)
    assert torch.equal(again.geglu(x), before)
    assert torch.equal(geglu(x), before)


X, W = torch.zeros(2, 12, 4, 4), torch.zeros(12)
Q, S, C = torch.zeros(8, 3, 20), torch.zeros(2, 5), torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_norm_silu(X, W, W, 5), "groups: 5 does not divide 12 channels; give a divisor"),
        (lambda: group_norm_silu(X, W[:4], W, 4), "weight: shape"),
        (lambda: group_norm_silu(X.int(), W, W, 4), "x: torch.int32"),
        (lambda: group_norm_silu(W, W, W, 4), "x: shape"),
        (lambda: add_group_norm_silu(X, X[:, :, :2], W, W, 4), "residual: shape"),
        (lambda: add_group_norm_silu(X, X.half(), W, W, 4), "residual: torch.float16"),
        (lambda: temporal_attention(Q, Q, Q, 3, 2), "frames: 3 does not divide"),
        (lambda: temporal_attention(Q, Q, Q, 64, 2), "frames: 64 is not in 1 … 32; attend to fewer at once"),
        (lambda: temporal_attention(Q, Q[:4], Q, 4, 2), "k: "),
        (lambda: temporal_attention(Q, Q, Q, 4, 3), "heads: 3 does not divide"),
        (lambda: temporal_attention(Q, Q, Q, 4, 2, position=torch.zeros(3, 5, 20)), "position: shape"),
        (lambda: temporal_attention(torch.zeros(2, 1, 600), Q, Q, 2, 2), "k: "),
        (lambda: geglu(torch.zeros(3, 5)), "x: shape"),
        (lambda: guided_step(S, S, S, torch.zeros(3), C), "guidance: shape"),
        (lambda: guided_step(S, S, S, torch.zeros(2), C[:, :3]), "coefficients: shape"),
        (lambda: guided_step(S, S[:1], S, torch.zeros(2), C), "unconditional: .* give it the same"),
        (lambda: guided_step(S, S, S, torch.zeros(2).half(), C), "guidance: torch.float16"),
        (lambda: shift_group_norm_silu(X, X.half(), W, W, 4), "shift: torch.float16"),
        (lambda: upsample_conv(X, pack(torch.zeros(8, 12, 3, 3)), W), "weight: shape"),
        (lambda: upsample_conv(X, pack(torch.zeros(12, 12, 3, 3)).half(), W), "weight: torch.float16"),
        (lambda: upsample_conv(X, pack(torch.zeros(12, 12, 3, 3)), W.half()), "bias: torch.float16"),
        (lambda: pack(torch.zeros(8, 12, 1, 1)), "weight: "),
        (lambda: yuv420(torch.zeros(1, 3, 5, 4)), "x: 5 × 4 pixels are not even; crop or pad them"),
        (lambda: yuv420(torch.zeros(1, 4, 4, 4)), "x: shape"),
    ],
)
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_refusals_name_the_argument(call: Callable[[], Any], message: str, on: bool) -> None:
    if on:
        with pytest.raises(ValueError, match=message):
            call()
    else:
        with switches.off("all"), pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, far: group_norm_silu(x, far, x[0, :, 0, 0], 2), "weight: is on meta and x on cpu"),
        (
            lambda x, far: temporal_attention(*[x[0]] * 3, 4, 1, position=torch.zeros(3, 4, 4, device="meta")),
            "position: is on meta and q on cpu",
        ),
        (lambda x, far: guided_step(x, x, x, far[:2], torch.zeros(2, 4)), "guidance: is on meta and x on cpu"),
        (lambda x, far: upsample_conv(x, pack(torch.zeros(4, 4, 3, 3)), far), "bias: is on meta and x on cpu"),
    ],
)
def test_arguments_are_on_one_device(call: Callable[[Tensor, Tensor], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, 4, 4, 4), torch.zeros(4, device="meta"))


def test_more_samples_than_a_grid_has_are_refused() -> None:
    with pytest.raises(ValueError, match="x: 65536 samples are more than 65535; split them"):
        yuv420_launch(torch.zeros(1, 3, 2, 2).expand(65536, 3, 2, 2))


def test_a_kernel_is_started_where_its_tensor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton starts it on the current device. There is no second one here: who makes it current is injected."""
    current: list[torch.device] = []

    @contextmanager
    def device(where: torch.device) -> Iterator[None]:
        current.append(where)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device", device)
    elsewhere = SimpleNamespace(is_cuda=True, device=torch.device("cuda:1"))
    launched: Any = on_its_device(lambda x: list(current))
    assert launched(elsewhere) == [torch.device("cuda:1")]
    assert launched(torch.zeros(1)) == []
