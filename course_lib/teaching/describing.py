"""Show any value in one short line: architectures as the code that makes them, arrays by shape and dtype.

torch is never imported here; tensors are recognised when they appear.
"""

import dataclasses
import inspect
import sys
from typing import Any

import numpy as np

from course_lib.architecture import (
    Node,
    Sequence,
    adaptive_avg_pool,
    avg_pool,
    batch_norm,
    conv,
    linear,
    local_response_norm,
    max_pool,
    relu,
)
from course_lib.architecture.nodes import layers
from course_lib.architecture.nodes.node import Auxiliary, Branches, Residual
from course_lib.architecture.nodes.words import residual

_LONGEST = 100
_LONGEST_CODE = 160


def describe(value: Any) -> str:
    """Show a value in one line; never fails, whatever the value's own `repr` does."""
    if is_array(value):
        return _array_text(value)
    if isinstance(value, Node):
        return _short_architecture(value)
    if type(value) is tuple:
        return f"({describe_arguments(value)}{',' if len(value) == 1 else ''})"
    if type(value) is list and len(value) <= 20:
        return f"[{describe_arguments(tuple(value))}]"
    if isinstance(value, float) and len(repr(float(value))) > 9:
        return f"{value:.7g}"
    if inspect.isfunction(value):
        return value.__name__
    if type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "shape"):
        return f"a {type(value).__name__} of shape {value.shape}"
    return shortened(safe_repr(value))


def describe_arguments(arguments: tuple) -> str:
    """Show positional arguments as they stand in a call."""
    return ", ".join(describe(argument) for argument in arguments)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Put `text` on one line and cut it where a message would grow too long to read."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def is_array(value: Any) -> bool:
    """Whether `value` is a numpy array or a torch tensor."""
    return isinstance(value, np.ndarray) or is_tensor(value)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor; without torch loaded, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def architecture_text(value: Node) -> str:
    """The code that makes an architecture: `conv(8, 3) >> max_pool(3, 2)`."""
    text = _unnamed_text(value)
    if not value.name:
        return text
    return f"{f'({text})' if ' >> ' in text and isinstance(value, Sequence) else text}.named({value.name!r})"


def safe_repr(value: Any) -> str:
    """`repr`, or a few words where a class's own `repr` raises; numbers of numpy as plain numbers."""
    try:
        return str(value) if isinstance(value, np.generic) else repr(value)
    except Exception as error:  # whatever a class of the student's may raise
        return f"a {type(value).__name__} (its repr raises {type(error).__name__})"


def _array_text(array: Any) -> str:
    if isinstance(array, np.ndarray):
        return f"an array of shape {array.shape} and dtype {array.dtype}"
    layout = str(array.layout).removeprefix("torch.")
    kind = "a tensor" if layout == "strided" else f"a {layout} tensor"
    place = " without values (on the device meta)" if array.device.type == "meta" else ""
    return f"{kind} of shape {tuple(array.shape)} and dtype {array.dtype}{place}"


def _short_architecture(value: Node) -> str:
    text = architecture_text(value)
    if len(text) > _LONGEST and value.name:
        return f"{value.describe()} named {value.name!r}"
    if len(text) <= _LONGEST_CODE or not isinstance(value, Sequence):
        return shortened(text, _LONGEST_CODE)
    first, last = (part.name or shortened(architecture_text(part)) for part in (value.layers[0], value.layers[-1]))
    return f"a sequence of {len(value.layers)} parts, {first} to {last}"


def _unnamed_text(value: Node) -> str:
    if isinstance(value, Sequence):
        parts = [f"({t})" if " >> " in t and isinstance(p, Sequence) else t for p, t in _texts(value.layers)]
        return " >> ".join(parts) if len(parts) > 1 else f"seq({''.join(parts)})"
    if isinstance(value, Branches):
        paths = [text for _, text in _texts(value.paths)]
        return f"split({', '.join([str(value.widths), *paths])})" if value.widths else f"branches({', '.join(paths)})"
    if isinstance(value, Residual):
        return _call("residual", value, residual(value.inner, value.scale), architecture_text(value.inner))
    if isinstance(value, Auxiliary):
        return f"auxiliary({architecture_text(value.head)}, {value.weight!r})"
    return _layer_text(value)


def _texts(parts: tuple[Node, ...]) -> list[tuple[Node, str]]:
    return [(part, architecture_text(part)) for part in parts]


def _layer_text(value: Node) -> str:
    if isinstance(value, layers.Conv):
        usual = conv(value.channels, value.kernel_size, value.stride, norm=value.norm)
        window = [str(value.channels), *_window(value)]
        return _call("conv", value, usual, *window, *[] if value.norm else ["norm=False"])
    if isinstance(value, layers.Pool):
        usual = (max_pool if value.kind == "max" else avg_pool)(value.kernel_size, value.stride)
        return _call(f"{value.kind}_pool", value, usual, *_window(value))
    if isinstance(value, layers.Linear):
        norm = ["norm=True"] if value.norm else []
        return _call("linear", value, linear(value.features, norm=value.norm), str(value.features), *norm)
    if isinstance(value, layers.NormAct):
        return _call("batch_norm", value, batch_norm()) if value.norm else _call("relu", value, relu())
    if isinstance(value, layers.AdaptiveAvgPool):
        grid = _size(value.grid)
        return "global_avg_pool()" if grid == "1" else _call("adaptive_avg_pool", value, adaptive_avg_pool(1), grid)
    if isinstance(value, layers.Dropout):
        return f"dropout({value.p!r})"
    if isinstance(value, layers.LocalResponseNorm):
        return _call("local_response_norm", value, local_response_norm(value.size), str(value.size))
    return repr(value)


def _call(function: str, value: Node, usual: Node, *arguments: str) -> str:
    """The call that makes `value`: its arguments, then whatever differs from `usual`."""
    shown = {"inner", "scale", "grid"}
    if isinstance(value, Residual):
        arguments = (*arguments, repr(value.scale))
    names = [f.name for f in dataclasses.fields(value) if f.compare and f.name != "name" and f.name not in shown]
    other = [f"{n}={getattr(value, n)!r}" for n in names if getattr(value, n) != getattr(usual, n)]
    return f"{function}({', '.join([*arguments, *other])})"


def _window(value: layers.Conv | layers.Pool) -> list[str]:
    return [_size(value.kernel_size), *([] if value.stride == (1, 1) else [_size(value.stride)])]


def _size(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)
