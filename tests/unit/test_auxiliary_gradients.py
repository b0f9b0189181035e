"""Gradients of main loss and head before the first step: against `backward`, and the same trunk whichever head."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from course_lib.experiments.auxiliary_gradients import conv_gradient_norms, first_weights, stage_gradients
from course_lib.experiments.auxiliary_network import LOWER, STAGES, UPPER, deep_network
from course_lib.training import auxiliary_loss

WEIGHT = 0.4


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 1, 28, 28, generator=generator), torch.randint(0, 10, (16,), generator=generator)


def norms_after_backward(model: torch.nn.Module) -> torch.Tensor:
    """Norm of the gradient of all convolutions of each stage, from `weight.grad`."""
    squares = torch.zeros(len(STAGES), dtype=torch.float64)
    for name, weight in model.named_parameters():
        stage = name.split(".")[0]
        if stage in STAGES and weight.ndim == 4 and weight.grad is not None:
            squares[STAGES.index(stage)] += weight.grad.double().square().sum()
    return squares.sqrt()


@pytest.mark.parametrize(("init", "batch_norm"), [("pytorch", False), ("he", False), ("he", True)])
@pytest.mark.parametrize("place", [LOWER, UPPER])
def test_norms_and_cosines_are_those_of_backward(batch: tuple, init: str, batch_norm: bool, place: int) -> None:
    images, labels = batch
    model = first_weights(deep_network((place,), batch_norm=batch_norm), init, seed=0)
    main, head, cosine = stage_gradients(model, images, labels)
    below = STAGES.index(f"module{place}") + 1
    assert (len(main), len(head), len(cosine)) == (len(STAGES), below, below)
    F.cross_entropy(model(images).logits, labels).backward()
    torch.testing.assert_close(norms_after_backward(model), main, rtol=1e-3, atol=0)
    model.zero_grad()
    auxiliary_loss(model(images), labels, F.cross_entropy, WEIGHT).backward()
    crossed = 2 * WEIGHT * main[:below] * head * cosine
    together = (main[:below].square() + crossed + (WEIGHT * head).square()).sqrt()
    torch.testing.assert_close(norms_after_backward(model)[:below], together, rtol=1e-3, atol=0)
    torch.testing.assert_close(norms_after_backward(model)[below:], main[below:], rtol=1e-3, atol=0)


@pytest.mark.parametrize("shortcuts", [False, True])
def test_norms_of_the_stages_are_those_that_backward_left(batch: tuple, shortcuts: bool) -> None:
    images, labels = batch
    model = first_weights(deep_network(shortcuts=shortcuts), "he", seed=0)
    F.cross_entropy(model(images), labels).backward()
    found = conv_gradient_norms(model)
    assert list(found) == list(STAGES)
    torch.testing.assert_close(norms_after_backward(model), torch.tensor(list(found.values())).double())


@pytest.mark.parametrize("init", ["pytorch", "he"])
def test_a_seed_gives_one_trunk_with_any_heads(init: str) -> None:
    trunk = first_weights(deep_network(), init, seed=3).state_dict()
    for heads, bn_aux in [((1,), False), ((LOWER, UPPER), True)]:
        state = first_weights(deep_network(heads, bn_aux=bn_aux), init, seed=3).state_dict()
        assert all(torch.equal(state[name], weight) for name, weight in trunk.items())
    other = first_weights(deep_network(), init, seed=4).state_dict()
    assert not torch.equal(other["module1.branch1.conv.weight"], trunk["module1.branch1.conv.weight"])


@pytest.mark.parametrize(("init", "variance_times_fan_in"), [("pytorch", 1 / 3), ("he", 2)])
def test_first_weights_have_the_variance_that_they_promise(init: str, variance_times_fan_in: float) -> None:
    model = first_weights(deep_network(), init, seed=0)
    for number in range(1, 9):
        weight = model.get_submodule(f"module{number}").branch2[1].conv.weight
        # 4,608 weights of each: the variance is known to 2 %, at four standard errors to 9 %.
        assert weight.var().item() * weight[0].numel() == pytest.approx(variance_times_fan_in, rel=0.09)


def test_the_callers_random_numbers_stay() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    first_weights(deep_network(), "he", seed=1)
    assert torch.equal(torch.rand(3), wanted)


def test_an_unknown_init_is_named() -> None:
    with pytest.raises(ValueError, match="init is 'xavier'; it must be 'pytorch' or 'he'"):
        first_weights(deep_network(), "xavier", seed=0)
