"""A pretend GPU, for machines without one: tensors that say they are on "cuda" and refuse to meet tensors on the CPU.

`install()` makes this process see one GPU. What is put there is computed on the CPU all the same, so results are right;
what a real GPU would refuse is refused in the same words. It finds tensors on the wrong device, and nothing about
speed, rounding or memory. There is no way back: call it in a process of its own, for example to run a lesson's cells on
few images:

    python tests/pretend_gpu.py notebooks/02_factorized_convolutions.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

GPU = torch.device("cuda", 0)
REFUSAL = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
IMAGES = 128
"""As many images of each split a lesson gets."""
aten = torch.ops.aten
# A tensor on the GPU may be indexed by one on the CPU, and be copied to or from there.
TAKES_BOTH = {aten.copy_, aten.index, aten.index_put, aten.index_put_, aten._unsafe_index, aten._unsafe_index_put}
ON_HOST = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__format__", "__contains__"}


class GpuTensor(Tensor):
    """A tensor that holds one on the CPU, `held`, and passes for one on the GPU."""

    held: Tensor
    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    @staticmethod
    def __new__(cls, held: Tensor) -> GpuTensor:
        same = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        made = Tensor._make_wrapper_subclass(cls, held.size(), layout=held.layout, device="cpu", **same)
        made.held = held.detach()
        return made

    def __repr__(self, **_: Any) -> str:
        return f"{self.held!r}"[:-1] + f", device='{GPU}')"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Saved as the tensor it holds: loading gives what `map_location="cpu"` gives."""
        return self.held.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        given = (args, kwargs or {})
        _refuse_mixed(op, args, given)
        positional, named = tree_map_only(GpuTensor, lambda tensor: tensor.held, given)
        result = op(*positional, **named)
        # In place, and into `out`: the caller goes on with the tensor that it gave.
        if isinstance(args[0] if args else None, GpuTensor) and op._schema.is_mutable and isinstance(result, Tensor):
            return args[0]
        return tree_map_only(Tensor, _wrapped, result)


def _refuse_mixed(op: Any, args: tuple, given: Any) -> None:
    """Raises CUDA's error where tensors of both devices meet; a number as a 0-d tensor may come from the CPU."""
    if op.overloadpacket in TAKES_BOTH and args and (op.overloadpacket is aten.copy_ or isinstance(args[0], GpuTensor)):
        return
    on_cpu = [t for t in tree_leaves(given) if isinstance(t, Tensor) and not isinstance(t, GpuTensor) and t.dim()]
    if on_cpu:
        raise RuntimeError(f"{REFUSAL} (in {op})")


def _wrapped(tensor: Tensor) -> Tensor:
    return tensor if isinstance(tensor, GpuTensor) else GpuTensor(tensor)


class _ToGpu(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        return GpuTensor(tensor.detach().clone())

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient.held if isinstance(gradient, GpuTensor) else gradient


class _ToCpu(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, tensor: GpuTensor) -> Tensor:
        return tensor.held.detach().clone()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _wrapped(gradient)


def _move(tensor: Tensor, to_gpu: bool) -> Tensor:
    if isinstance(tensor, GpuTensor) == to_gpu:
        return tensor
    with torch._C.DisableTorchFunction():
        return (_ToGpu if to_gpu else _ToCpu).apply(tensor)


class _Devices(TorchFunctionMode):
    """Catches what names a device or asks for one, before PyTorch looks for a GPU that is not there."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        named = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        first = args[0] if args else None
        on_gpu = isinstance(first, GpuTensor)
        if function is Tensor.device.__get__:
            return GPU if on_gpu else function(*args)
        if function is Tensor.is_cuda.__get__:
            return on_gpu
        if name in ("to", "cuda", "cpu") and isinstance(first, Tensor):
            return _to(name, first, list(args[1:]), named)
        if on_gpu and name in ("numpy", "__array__"):
            raise TypeError(f"can't convert {GPU} device type tensor to numpy. Use Tensor.cpu() first.")
        if on_gpu and name in ON_HOST:
            return function(first.held, *args[1:], **named)
        asked = _is_gpu(named.get("device"))
        if asked:
            named["device"] = "cpu"
        with torch._C.DisableTorchFunctionSubclass():
            result = function(*args, **named)
        return tree_map_only(Tensor, partial(_move, to_gpu=True), result) if asked else result


def _to(name: str, tensor: Tensor, rest: list[Any], named: dict[str, Any]) -> Tensor:
    """`tensor.to(...)`, `.cuda()` and `.cpu()`: the device is taken out, all else is done on the CPU."""
    wanted: Any = {"cuda": GPU, "cpu": "cpu"}.get(name, named.pop("device", None))
    if name != "to":
        rest, named = [], {}
    named.pop("non_blocking", None)
    if rest and isinstance(rest[0], str | torch.device | int) and not isinstance(rest[0], bool):
        wanted = rest.pop(0)
    if rest and isinstance(rest[0], Tensor):
        wanted, rest[0] = rest[0].device, rest[0].dtype
    rest = [value for value in rest if value is not None and not isinstance(value, bool)]
    if rest or any(value is not None for value in named.values()):
        with torch._C.DisableTorchFunctionSubclass():
            tensor = Tensor.to(tensor, *rest, **named)
    return tensor if wanted is None else _move(tensor, _is_gpu(wanted))


def _is_gpu(device: Any) -> bool:
    if isinstance(device, bool) or not isinstance(device, str | int | torch.device):
        return False
    return isinstance(device, int) or torch.device(device).type == "cuda"


class _Generator(torch.Generator):
    """A generator that remembers the device it was made for."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        made = super().__new__(cls)
        made.asked = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None: ...

    @property
    def device(self) -> torch.device:
        return self.asked

    def manual_seed(self, seed: int) -> _Generator:
        super().manual_seed(seed)
        return self


class _Autocast(torch.autocast):
    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


def install() -> None:
    """Let this process see one GPU, for the rest of its life."""
    cuda = torch.cuda
    cuda.is_available = lambda: True
    cuda.device_count = lambda: 1
    cuda.current_device = lambda: 0
    cuda.is_bf16_supported = lambda *_, **__: True
    cuda.synchronize = lambda *_: None
    cuda.get_device_name = lambda *_: "pretend GPU"
    cuda.get_rng_state = lambda *_: torch.get_rng_state()
    cuda.set_rng_state = lambda *_: None
    fork_rng = torch.random.fork_rng
    torch.random.fork_rng = lambda *_, **__: fork_rng([])  # there is no generator of a GPU to be kept
    torch.Generator, torch.autocast = _Generator, _Autocast
    for name in dir(torch.optim.Optimizer):
        if name.endswith("graph_capture_health_check"):
            setattr(torch.optim.Optimizer, name, lambda _: None)
    # A module that moves must get new parameters: those it has cannot change what they are.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    _Devices().__enter__()


def run_lesson(source: Path) -> int:
    """Runs the code cells of a lesson on few images; returns how many ran to their end.

    A misplaced tensor ends in a RuntimeError or a TypeError, which is raised with the cell's number. Other errors are
    let pass: so few images train nothing, so that bands are missed and nothing can be said of runs that end well.
    """
    from IPython.core.interactiveshell import InteractiveShell

    from course_lib.datasets import ImageData
    from course_lib.teaching.sources import read_source

    shell, whole = InteractiveShell.instance(), ImageData.subset

    def few(data: ImageData, *, train: int | None = None, test: int | None = None, seed: int = 0) -> ImageData:
        least = [min(IMAGES, len(split), n or len(split)) for split, n in ((data.train, train), (data.test, test))]
        return whole(data, train=least[0], test=least[1], seed=seed)

    ImageData.subset = few
    finished = 0
    cells = [cell for cell in read_source(source).cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        result = shell.run_cell(cell.source)
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, RuntimeError | TypeError):
            raise RuntimeError(f"{source.name}, code cell {number} fails on the pretend GPU: {error}") from error
        finished += error is None
    return finished


if __name__ == "__main__":
    install()
    print(f"{run_lesson(Path(sys.argv[1]))} cells ran on the pretend GPU")
