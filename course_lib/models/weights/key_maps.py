"""How torchvision and timm name the weights of the networks, as short rules from their keys to this course's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from course_lib.architecture import Sequence, labelled_children

Replacement = str | Callable[[re.Match[str]], str]
Rule = tuple[str, Replacement]

# branch3x3dbl_3a and _3b are the two branches into which a third layer parts
FORK = {"": "", "a": "branch1", "b": "branch2"}


@dataclass(frozen=True)
class Reference:
    """A network as another library ships it.

    Attributes:
        rules: from the value to (regular expression, replacement) pairs, applied to a key in turn.
        options: of `create_model`, for a network that computes what theirs does.
    """

    rules: Callable[[Sequence], Iterable[Rule]]
    options: dict[str, Any] = field(default_factory=dict)

    def rename(self, value: Sequence) -> Callable[[str], str]:
        """The function from their keys to those of the model built from `value`."""
        rules = [(re.compile(pattern), replacement) for pattern, replacement in self.rules(value)]

        def renamed(key: str) -> str:
            for pattern, replacement in rules:
                key = pattern.sub(replacement, key)
            return key

        return renamed


def _torchvision_googlenet(value: Sequence) -> list[Rule]:
    return [
        (r"^inception", ""),
        (r"^(aux\d)\.", r"\1.head."),
        (r"\b(fc\d?)\.", r"\1.linear."),
    ]


def _torchvision_inception_v3(value: Sequence) -> list[Rule]:
    return [
        (r"^Conv2d", "conv"),
        (r"^Mixed", "mixed"),
        (r"^AuxLogits\.", "aux.head."),
        (r"\bfc\.", "fc.linear."),
        (r"branch_pool\.", "pool.1."),
        (r"branch([^_.]+)\.", r"\1."),
        # branch3x3dbl_2 is the second layer of 3x3dbl
        (r"branch([^_.]+)_(\d)([ab]?)\.", lambda m: _path(m[1], str(int(m[2]) - 1), FORK[m[3]])),
    ]


def _timm_inception_v4(value: Sequence) -> list[Rule]:
    names = {str(index): name for index, (name, _) in enumerate(labelled_children(value))}
    return [
        (r"^features\.(\d+)", lambda m: names.get(m[1], m[0])),
        (r"^last_linear", "fc.linear"),
        # branches and layers count from 0: branch1_2 is the third layer of the second branch
        (r"branch(\d)_?(\d?)([ab]?)\.", lambda m: _path(f"branch{int(m[1]) + 1}", m[2], FORK[m[3]])),
        (r"^mixed_3a\.conv\.", "mixed_3a.branch2."),
        (r"^mixed_5a\.conv\.", "mixed_5a.branch1."),
    ]


def _timm_inception_resnet_v2(value: Sequence) -> list[Rule]:
    stem = {name.split("_")[1]: name for name, _ in labelled_children(value) if name.startswith("conv_")}
    grids = {"repeat": "block35", "repeat_1": "block17", "repeat_2": "block8"}
    return [
        (r"^conv2d_(\w+)", lambda m: stem.get(m[1], m[0])),
        (r"^block8\.", "block8_10."),
        (r"^(repeat\w*)\.(\d+)\.", lambda m: f"{grids.get(m[1], m[1])}_{int(m[2]) + 1}."),
        (r"branch(\d)", lambda m: f"branch{int(m[1]) + 1}"),
        (r"^(block\w+)\.branch", r"\1.inner.0.branch"),
        (r"^(block\w+)\.conv2d", r"\1.inner.1.conv"),
        (r"^classif", "fc.linear"),
    ]


def _path(*names: str) -> str:
    return "".join(f"{name}." for name in names if name)


REFERENCES: dict[tuple[str, str], Reference] = {
    ("googlenet_bn", "torchvision"): Reference(
        _torchvision_googlenet, {"five_by_five": "3x3", "pool4": 2, "head_pool": "adaptive", "dropout": 0.2}
    ),
    ("inception_v3", "torchvision"): Reference(_torchvision_inception_v3, {"count_include_pad": True}),
    ("inception_v3", "timm"): Reference(_torchvision_inception_v3, {"count_include_pad": True}),
    ("inception_v4", "timm"): Reference(_timm_inception_v4),
    ("inception_resnet_v2", "timm"): Reference(_timm_inception_resnet_v2),
}
