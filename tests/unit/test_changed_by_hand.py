"""What users change in a model's modules: rebuilt models keep it or name it, and the idioms of transfer learning
work."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from tiny_training import two_classes
from torch import Tensor, nn
from torch.nn.utils import prune

from course_lib.architecture import (
    ArchitectureError,
    auxiliary,
    avg_pool,
    batch_norm,
    branches,
    build,
    conv,
    dropout,
    global_avg_pool,
    linear,
    residual,
    seq,
)
from course_lib.architecture.building import Network
from course_lib.models import freeze, merge_model, optimize_for_inference, unfreeze
from course_lib.models.current import current_value, unwrapped
from course_lib.training import Recipe, fit

VALUE = seq(
    conv(8, 3).named("first"),
    branches(conv(4, 1), conv(4, 1) >> conv(4, 3), avg_pool(3) >> conv(4, 1)).named("block"),
    residual(conv(4, 1) >> conv(12, 3, norm=False, activation="linear"), 0.3).named("residual"),
    auxiliary(global_avg_pool() >> linear(3).named("fc"), 0.3).named("aux"),
    batch_norm().named("norm"),
    global_avg_pool().named("global_pool"),
    dropout(0.5).named("dropout"),
    linear(3).named("fc"),
)


def model() -> Network:
    """With weights and statistics that all matter."""
    made = build(VALUE, 3)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in made.state_dict().items():
        if tensor.dim():
            low = 0.01 if name.endswith(("running_var", "bn.weight")) else -0.5
            tensor.uniform_(low, low + 1, generator=generator)
    return made


def images(batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, 9, 9, generator=torch.Generator().manual_seed(1))


def set_all(kind: type[nn.Module], **settings: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, kind):
                for name, value in settings.items():
                    setattr(module, name, value)

    return change


def exchange_first(model: nn.Module) -> None:
    model.first.conv = nn.Conv2d(1, 8, 5, 2, padding=2)
    model.in_channels = 1


KEPT = {
    "eps of all batch norms": set_all(nn.BatchNorm2d, eps=0.05),
    "eps of one sibling": lambda model: setattr(model.block.branch1.bn, "eps", 0.05),
    "count_include_pad": set_all(nn.AvgPool2d, count_include_pad=True),
    "scale of the residual": lambda model: setattr(model.residual, "scale", 0.9),
    "no activation": lambda model: setattr(model.first, "activation", nn.Identity()),
    "no batch norm": lambda model: setattr(model.first, "bn", nn.Identity()),
    "fc": lambda model: setattr(model, "fc", nn.Linear(model.fc.in_features, 5)),
    "fc.linear": lambda model: setattr(model.fc, "linear", nn.Linear(12, 5, bias=False)),
    "first convolution": exchange_first,
    "eps after freezing": lambda model: (freeze(model), set_all(nn.BatchNorm2d, eps=0.05)(model)),
}


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@pytest.mark.parametrize("rebuild", [optimize_for_inference, merge_model])
@pytest.mark.parametrize("change", KEPT)
def test_what_a_value_can_tell_is_kept(change: str, rebuild: Callable[[Network], Network]) -> None:
    changed, batch = model(), images()
    KEPT[change](changed)
    batch = batch[:, : changed.in_channels]
    with torch.no_grad():
        wanted = changed.eval()(batch)
        assert relative_error(rebuild(changed).eval()(batch), wanted) < 1e-5


LOST = {
    "another activation": (
        lambda model: setattr(model.first, "activation", nn.GELU()),
        "first.activation is a GELU, not a ReLU",
    ),
    "an appended layer": (lambda model: model.append(nn.Linear(3, 2)), r"the network itself has other parts, .*\(8\)"),
    "a layer inserted": (lambda model: model.block.branch2.append(nn.Dropout(0.5)), r"block.branch2 has other parts"),
    "a layer deleted": (
        lambda model: delattr(model, "residual"),
        r"itself has other parts, .*residual",
    ),
    "a dilation": (
        lambda model: setattr(model.first.conv, "dilation", (2, 2)),
        r"first.conv has dilation \(2, 2\), not \(1, 1\)",
    ),
    "a subclass that computes something else": (
        lambda model: setattr(model.first, "activation", type("MyReLU", (nn.ReLU,), {"forward": lambda self, x: x})()),
        "first.activation is a MyReLU, not a ReLU",
    ),
    "a hook": (lambda model: model.first.register_forward_hook(lambda *_: None), "first has a forward hook"),
    "pruning": (
        lambda model: prune.l1_unstructured(model.first.conv, "weight", 0.5),
        "first.conv has a forward hook",
    ),
    "weight norm": (
        lambda model: nn.utils.parametrizations.weight_norm(model.first.conv),
        "first.conv has other parts",
    ),
    "a forward of its own": (lambda model: setattr(model.first, "forward", lambda x: x), "first has forward "),
    "a classifier of two layers": (
        lambda model: setattr(model, "fc", nn.Sequential(nn.Dropout(), nn.Linear(12, 2))),
        "fc.linear is a Sequential, not a Linear",
    ),
    "other channels": (
        lambda model: setattr(model.first, "conv", nn.Conv2d(3, 9, 3, padding=1)),
        "first.bn has num_features 8, not 9",
    ),
}


@pytest.mark.parametrize("rebuild", [optimize_for_inference, merge_model])
@pytest.mark.parametrize("change", LOST)
def test_what_no_value_tells_is_named(change: str, rebuild: Callable[[Network], Network]) -> None:
    changed = model()
    apply, sentence = LOST[change]
    apply(changed)
    with pytest.raises(ArchitectureError, match=sentence):
        rebuild(changed)


def test_an_unchanged_model_is_its_value() -> None:
    assert current_value(model()) == VALUE


def test_merging_keeps_what_is_frozen_momentum_and_mode() -> None:
    changed = model()
    set_all(nn.BatchNorm2d, momentum=0.03)(changed)
    freeze(changed)
    unfreeze(changed.fc)
    merged = merge_model(changed.train())
    assert {name for name, parameter in merged.named_parameters() if parameter.requires_grad} == {
        "fc.linear.weight",
        "fc.linear.bias",
    }
    norms = [module for module in merged.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert {norm.momentum for norm in norms} == {0.03}
    before = {key: tensor.clone() for key, tensor in merged.state_dict().items()}
    merged.train()(images())
    assert all(torch.equal(tensor, before[key]) for key, tensor in merged.state_dict().items())


def test_siblings_half_frozen_do_not_merge() -> None:
    changed = model()
    changed.block.branch1.requires_grad_(False)
    with pytest.raises(ArchitectureError, match=r"must have the same weight.requires_grad; they have block.branch1"):
        merge_model(changed)


def test_frozen_statistics_stay_in_training_until_unfrozen() -> None:
    frozen = model()
    eval_logits = frozen.eval()(images())
    freeze(frozen)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    before = frozen.norm.bn.running_mean.clone()
    twin = pickle.loads(pickle.dumps(copy.deepcopy(frozen)))
    for each in (frozen, twin):
        each.train()(images())
        assert torch.equal(each.norm.bn.running_mean, before)
        assert torch.equal(each.eval()(images()), eval_logits)
    unfreeze(frozen)
    assert all(parameter.requires_grad for parameter in frozen.parameters())
    frozen.train()(images())
    assert not torch.equal(frozen.norm.bn.running_mean, before)
    freeze(twin, keep_statistics=False)
    unfreeze(twin)
    freeze(twin, keep_statistics=False)
    twin.train()(images())
    assert not torch.equal(twin.norm.bn.running_mean, before)


def test_fit_trains_what_is_not_frozen_and_nothing_else() -> None:
    trained = build(conv(4, 3).named("trunk") >> global_avg_pool() >> linear(2).named("fc"), 1)
    freeze(trained.trunk)
    before = {key: tensor.clone() for key, tensor in trained.state_dict().items()}
    fit(trained, two_classes(), Recipe(epochs=1, batch_size=16, ema_decay=0.0), progress=False, device="cpu")
    moved = {key for key, tensor in trained.state_dict().items() if not torch.equal(tensor, before[key])}
    assert moved == {"fc.linear.weight", "fc.linear.bias"}


def test_a_classifier_exchanged_by_its_name() -> None:
    changed = model()
    layer = nn.Linear(changed.fc.in_features, 5)
    changed.fc = layer
    assert changed.fc.linear is layer
    assert (changed.fc.in_features, changed.fc.out_features) == (12, 5)
    assert changed.fc.weight is layer.weight
    assert changed.fc.bias is layer.bias
    changed.aux.head.fc = nn.Linear(changed.aux.head.fc.in_features, 5)
    assert [part.shape for part in changed.train()(images())] == [(2, 5), (2, 5)]
    other = model()
    other.fc, other.aux.head.fc = nn.Linear(12, 5), nn.Linear(12, 5)
    other.load_state_dict(changed.state_dict())
    for rebuilt in (other, merge_model(changed), optimize_for_inference(changed), copy.deepcopy(changed)):
        torch.testing.assert_close(rebuilt.eval()(images()), changed.eval()(images()), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_several_layers_or_none() -> None:
    changed = model().eval()
    changed.fc = nn.Sequential(nn.Dropout(), nn.Linear(12, 2))
    assert changed(images()).shape == (2, 2)
    changed.fc = nn.Identity()
    assert changed(images()).shape == (2, 12)
    changed[-1] = nn.Linear(12, 4)
    assert changed(images()).shape == (2, 4)


def test_a_first_convolution_for_other_images_says_what_else_to_set() -> None:
    changed = model().eval()
    changed.first.conv = nn.Conv2d(1, 8, 3, padding=1)
    with pytest.raises(ArchitectureError, match="first convolution was exchanged: set its in_channels = 1, too"):
        changed(images()[:, :1])
    changed.in_channels = 1
    assert changed(images()[:, :1]).shape == (2, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_models_of_other_dtypes_give_a_float32_network(dtype: torch.dtype) -> None:
    changed = model().to(dtype)
    fast = optimize_for_inference(changed)
    with torch.no_grad():
        logits, wanted = fast(images()), changed.float().eval()(images())
    assert logits.dtype == torch.float32
    assert relative_error(logits, wanted) < 1e-5


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        lambda model: torch.compile(model, backend="eager"),
        lambda model: nn.DataParallel(torch.compile(model, backend="eager")),
        torch.optim.swa_utils.AveragedModel,
    ],
)
def test_wrapped_models_are_taken_out(wrap: Callable[[nn.Module], nn.Module]) -> None:
    plain = model().eval()
    wrapped = wrap(plain)
    assert isinstance(unwrapped(wrapped), Network)
    torch.testing.assert_close(optimize_for_inference(wrapped)(images()), plain(images()), rtol=1e-4, atol=1e-5)


def test_a_network_for_use_does_not_train() -> None:
    fast = optimize_for_inference(model())
    assert fast.train(False) is fast
    with pytest.raises(ArchitectureError, match="for use only; train the model that it was made from"):
        fast.train()
    with pytest.raises(ArchitectureError, match="already what optimize_for_inference gives"):
        optimize_for_inference(fast)


@pytest.mark.parametrize("isa", ["AVX2", "AVX512_CORE"])
def test_fused_operators_are_right_with_fewer_instructions(isa: str) -> None:
    """As on a processor without AMX or AVX-512; oneDNN reads the limit when it starts."""
    code = (
        "import torch\n"
        "from course_lib.models import create_model, optimize_for_inference\n"
        "torch.manual_seed(0)\n"
        "for dtype, limit in ((torch.float32, 1e-4), (torch.bfloat16, 0.05)):\n"
        "    model = create_model('small_inception', 10).eval()\n"
        "    fast = optimize_for_inference(model, dtype=dtype)\n"
        "    with torch.no_grad():\n"
        "        for batch in (1, 2, 3):\n"
        "            images = torch.randn(batch, 3, 32, 32)\n"
        "            wanted = model(images)\n"
        "            print(dtype, ((fast(images) - wanted).norm() / wanted.norm()).item() < limit)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert re.findall(r"(True|False)$", result.stdout, re.MULTILINE) == ["True"] * 6
