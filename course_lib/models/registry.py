"""The networks by name: what each is called with, its paper, and the value it gives."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Any

from course_lib.architecture import ArchitectureError, Auxiliary, Sequence, seq
from course_lib.whole_numbers import whole_number


@dataclass(frozen=True)
class Entry:
    """One network of the family.

    Attributes:
        make: function of (num_classes, aux where there are heads, options) that gives the value.
        paper: authors, year and title.
        input_shape: (channels, height, width) it is made for.
        num_classes: classes of the data it is made for.
    """

    make: Callable[..., Sequence]
    paper: str
    input_shape: tuple[int, int, int]
    num_classes: int

    @property
    def has_heads(self) -> bool:
        """Whether the paper gives it auxiliary classifiers."""
        return "aux" in inspect.signature(self.make).parameters

    @property
    def options(self) -> dict[str, Any]:
        """The network's own options and their defaults."""
        parameters = inspect.signature(self.make).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


NETWORKS: dict[str, Entry] = {}


def register(
    *, paper: str, input_shape: tuple[int, int, int], num_classes: int = 1000
) -> Callable[[Callable[..., Sequence]], Callable[..., Sequence]]:
    """Decorator that lists a network under its function's name."""

    def add(make: Callable[..., Sequence]) -> Callable[..., Sequence]:
        NETWORKS[make.__name__] = Entry(make, paper, input_shape, num_classes)
        return make

    return add


def entry(name: str) -> Entry:
    """What is known of the network `name`.

    Raises:
        ArchitectureError: if there is no such network; the message lists those there are.
    """
    if name not in NETWORKS:
        close = get_close_matches(str(name), NETWORKS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ArchitectureError(f"there is no network {name!r}; {hint}The networks are {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def network(name: str, num_classes: int = 1000, aux: bool = False, **options: Any) -> Sequence:
    """The value of the network `name`, without loading torch.

    Args:
        name: one of `list_models()`.
        num_classes: number of logits.
        aux: with the paper's auxiliary classifiers, which run in training only.
        options: the network's own, as its function documents (`course_lib.models.inception_v3.inception_v3` ...).

    Raises:
        ArchitectureError: for an unknown name or option, an option's value outside its range, fewer than one class, or
            `aux=True` where the paper has no heads.
    """
    known = entry(name)
    num_classes = check_count("num_classes", num_classes)
    for option in options:
        if option not in known.options:
            raise ArchitectureError(f"{name} has no option {option!r}; its options are {', '.join(known.options)}.")
        options[option] = _of_kind(option, options[option], known.options[option])
    if known.has_heads:
        return known.make(num_classes, aux, **options)
    if aux:
        with_heads = ", ".join(other for other in NETWORKS if NETWORKS[other].has_heads)
        raise ArchitectureError(f"{name} has no auxiliary heads, so use aux=False; {with_heads} have them.")
    return known.make(num_classes, **options)


def architecture(name: str, num_classes: int = 1000, aux: bool = False, **options: Any) -> Sequence:
    """The former name of `network`, which it calls with a DeprecationWarning."""
    warnings.warn(
        "course_lib.models.architecture is now called course_lib.models.network", DeprecationWarning, stacklevel=2
    )
    return network(name, num_classes, aux, **options)


def _of_kind(option: str, value: object, default: object) -> object:
    """An option's value, a whole number as an int.

    Raises:
        ArchitectureError: it is not of the kind of its default. Its range is checked by the network itself.
    """
    if isinstance(default, bool):
        fits, kind = isinstance(value, bool), "True or False"
    elif isinstance(default, int):
        fits, kind = whole_number(value) is not None, "a whole number"
        value = whole_number(value) if fits else value
    elif isinstance(default, float):
        fits, kind = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value), "a number"
    elif isinstance(default, str):
        fits, kind = isinstance(value, str), "text"
    else:
        return value
    if not fits:
        raise ArchitectureError(f"option {option} must be {kind}; got {value!r}.")
    return value


def check_count(what: str, count: object) -> int:
    """`count` as an int; ArchitectureError unless it is a whole number of at least 1."""
    number = whole_number(count)
    if number is None or number < 1:
        raise ArchitectureError(f"{what} must be a whole number of at least 1; got {count!r}.")
    return number


def check_option(name: str, value: object, choices: Collection[object]) -> None:
    """Raises ArchitectureError unless `value` is one of `choices`."""
    if value not in tuple(choices):
        listed = ", ".join(map(repr, choices))
        raise ArchitectureError(f"option {name} must be one of {listed}; got {value!r}.")


def list_models() -> list[str]:
    """Names of all networks, in the order of the papers."""
    return list(NETWORKS)


def trunk(value: Sequence) -> Sequence:
    """A network without its auxiliary heads and without its classifier, from the global pool on: what receptive fields
    are stated for."""
    parts = [part for part in value.layers if not isinstance(part, Auxiliary)]
    return seq(*parts[: [part.name for part in parts].index("global_pool")])
