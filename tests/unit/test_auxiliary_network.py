"""The deep network of the lesson on auxiliary classifiers: heads stand where asked and leave the trunk alone."""

from __future__ import annotations

import pytest
import torch

from course_lib.architecture import ArchitectureError, Auxiliary, Conv, NormAct, Residual, build, rewrite, seq, total
from course_lib.experiments.auxiliary_network import LOWER, MODULES, REDUCTION_AFTER, STAGES, UPPER, deep_network

SHAPE = (1, 28, 28)


def without_heads(value):
    return seq(*(part for part in value.layers if not isinstance(part, Auxiliary)))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("heads", [*((number,) for number in range(1, MODULES + 1)), (LOWER, UPPER)])
def test_heads_are_added_to_an_unchanged_trunk(heads: tuple[int, ...], batch_norm: bool) -> None:
    value = deep_network(heads, batch_norm=batch_norm, bn_aux=not batch_norm)
    names = [part.name for part in value.layers]
    assert without_heads(value) == deep_network(batch_norm=batch_norm)
    assert all(names[names.index(f"head{number}") - 1] == f"module{number}" for number in heads)


def test_stages_are_the_parts_before_the_classifier() -> None:
    names = [part.name for part in deep_network().layers]
    assert names == [*STAGES, "global_pool", "fc"]
    assert [stage for stage in STAGES if stage.startswith("module")] == [f"module{i + 1}" for i in range(MODULES)]


@pytest.mark.parametrize(("batch_norm", "bn_aux"), [(False, False), (True, False), (False, True), (True, True)])
def test_batch_norm_stands_where_asked(batch_norm: bool, bn_aux: bool) -> None:
    found = {"trunk": set(), "head": set()}
    for part in deep_network((LOWER,), batch_norm=batch_norm, bn_aux=bn_aux).layers:
        normed = found["head" if isinstance(part, Auxiliary) else "trunk"]
        rewrite(part, lambda node, _, normed=normed: normed.add(node.norm) or node if isinstance(node, Conv) else node)
    assert found == {"trunk": {batch_norm}, "head": {bn_aux}}


def test_every_convolution_of_the_trunk_is_followed_by_a_relu() -> None:
    kinds = []
    rewrite(deep_network(), lambda node, _: kinds.append(node) or node)
    assert all(node.activation == "relu" for node in kinds if isinstance(node, Conv))
    assert not any(isinstance(node, NormAct) for node in kinds)


def test_shortcuts_add_the_input_and_cost_nothing() -> None:
    value, plain = deep_network((LOWER,), shortcuts=True), deep_network((LOWER,))
    assert total(value, SHAPE) == total(plain, SHAPE)
    around = {part.name for part in value.layers if isinstance(part, Residual)}
    assert around == {f"module{number}" for number in range(1, MODULES + 1)} - {f"module{REDUCTION_AFTER + 1}"}
    model = build(value, 1)
    images = torch.rand(2, 32, 7, 7)
    inner = model.module1.inner(images)
    assert (inner < 0).any()
    torch.testing.assert_close(model.module1(images), torch.relu(images + inner))


def test_grids_and_size() -> None:
    counted = total(deep_network((LOWER, UPPER)), SHAPE)
    trunk = total(deep_network(), SHAPE)
    assert trunk.out_shape == counted.out_shape == (10,)
    assert counted.params - trunk.params == 2 * (32 * 32 + 32 + 16 * 32 * 64 + 64 + 64 * 10 + 10)


def test_training_gives_the_heads_from_the_deepest_down_and_evaluation_the_logits_alone() -> None:
    model = build(deep_network((LOWER, UPPER), weight=0.4), 1)
    images = torch.zeros(2, *SHAPE)
    outputs = model(images)
    assert outputs._fields == ("logits", f"head{UPPER}", f"head{LOWER}")
    assert {tuple(output.shape) for output in outputs} == {(2, 10)}
    assert model.get_submodule(f"head{UPPER}").weight == 0.4
    assert model.eval()(images).shape == (2, 10)


@pytest.mark.parametrize("number", [0, MODULES + 1, "3"])
def test_a_head_without_a_module_is_refused(number: object) -> None:
    with pytest.raises(ArchitectureError, match=rf"a head stands after a module from 1 to 8; got {number!r}"):
        deep_network((number,))
