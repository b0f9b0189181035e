"""What is wrong with a part by itself is said as it is written down."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from .signal import ArchitectureError

if TYPE_CHECKING:
    from .node import Node

# A part becomes a submodule under its name, so it cannot have one that a module needs for something else.
_ATTRIBUTES = """
T_destination add_module append apply architecture bfloat16 buffers call_super_init children compile cpu cuda double
dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half
in_channels insert ipu load_state_dict modules mtia name named_buffers named_children named_modules named_parameters
of parameters pop register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty train
training type widths xpu zero_grad
"""
RESERVED = frozenset(_ATTRIBUTES.split())


def check_name(name: str) -> None:
    """Raises ArchitectureError unless a module can have a part of this name."""
    if not isinstance(name, str):
        raise ArchitectureError(f"a name is a text, such as '3a'; got {name!r}.")
    if "." in name:
        raise ArchitectureError(f"name {name!r}: a dot separates a part from its parent; use a name without dots.")
    if name in RESERVED or name.startswith("_"):
        raise ArchitectureError(
            f"name {name!r}: every PyTorch module has an attribute of this name or kind; use another, such as "
            f"'{name.strip('_')}1'."
        )


def check_distinct(names: list[str], where: str) -> None:
    """Raises ArchitectureError if a name occurs twice; the message begins with `where`."""
    for name in names:
        if names.count(name) > 1:
            raise ArchitectureError(f"{where}: two of its parts are named {name!r}; names must differ.")


def check_choice(node: Node, field: str, choices: tuple[str, ...]) -> None:
    """Raises ArchitectureError unless the field is one of `choices`."""
    value = getattr(node, field)
    if value not in choices:
        raise ArchitectureError(f"{owner(node)}: {field} must be one of {', '.join(choices)}; got {value!r}.")


def set_whole(node: Node, *fields: str) -> None:
    """Makes the whole numbers in these fields, NumPy's or PyTorch's too, Python's own.

    Raises:
        ArchitectureError: if one is not a whole number of at least 1.
    """
    for field in fields:
        value = getattr(node, field)
        sizes = value if isinstance(value, tuple) else (value,)
        try:
            whole = tuple(0 if isinstance(size, bool) else index(size) for size in sizes)
        except TypeError:
            whole = (0,)
        if min(whole) < 1:
            raise ArchitectureError(f"{owner(node)}: {field} must be whole and at least 1; got {value!r}.")
        object.__setattr__(node, field, whole if isinstance(value, tuple) else whole[0])


def set_pairs(node: Node, *fields: str) -> None:
    """Makes one size in these fields, as `replace(part, kernel_size=2)` puts there, the (height, width) it stands for.

    Raises:
        ArchitectureError: as `set_whole`, and if one is neither a single size nor two.
    """
    for field in fields:
        value = getattr(node, field)
        pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
        if len(pair) != 2:
            raise ArchitectureError(f"{owner(node)}: {field} is one size or (height, width); got {value!r}.")
        object.__setattr__(node, field, pair)
    set_whole(node, *fields)


def owner(node: Node) -> str:
    """Whom a message is about: the part's name, or its kind."""
    return node.name or type(node).__name__
