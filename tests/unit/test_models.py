"""Every network found through `list_models()` is put through the same tests."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course_lib.architecture import ArchitectureError, cost, smallest_input, total
from course_lib.architecture.building import ConvUnit, LinearUnit
from course_lib.models import architecture, create_model, entry, list_models, network, trunk

NAMES = list_models()
WITH_HEADS = [name for name in NAMES if entry(name).has_heads]
SMALL = ["googlenet_cifar", "small_inception"]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def images(name: str, batch: int = 2, channels: int = 3, *, heads: bool = False) -> Tensor:
    """Normalised random images on which the last grid has at least 2x2 units, for batch norm to average over."""
    value = network(name, aux=heads)
    step = total(trunk(value), entry(name).input_shape).signal.reach.jump
    height, width = smallest_input(value)
    # A head leaves one unit of its smallest grid and is slow enough on that.
    extra = (0, 0) if heads else step
    return torch.randn(batch, channels, height + extra[0], width + extra[1])


def test_the_networks_of_the_course() -> None:
    assert list_models() == [
        *("googlenet", "googlenet_bn", "googlenet_cifar", "bn_inception", "inception_v2", "inception_v3"),
        *("inception_v4", "inception_resnet_v1", "inception_resnet_v2", "small_inception"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_training_gives_finite_logits_and_every_parameter_a_gradient(name: str) -> None:
    model = create_model(name, 7)
    logits = model(images(name))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()
    nn.functional.cross_entropy(logits, torch.tensor([1, 5])).backward()
    check_gradients(model)


@pytest.mark.parametrize("name", WITH_HEADS)
def test_heads_answer_in_training_only_from_the_deepest_up(name: str) -> None:
    model = create_model(name, 7, aux=True)
    batch = images(name, heads=True)
    out = model(batch)
    heads = [head for head, _ in model.named_children() if head.startswith("aux")]
    assert out._fields == ("logits", *reversed(heads))
    assert heads
    assert all(part.shape == (2, 7) and part.isfinite().all() for part in out)
    sum(nn.functional.cross_entropy(part, torch.tensor([1, 5])) for part in out).backward()
    # One image a unit: a normalised layer over a single unit and two images has (almost) no gradient.
    check_gradients(model, but=("aux.head.conv1", "aux.head.conv0") if "aux" in heads else ())
    assert model.eval()(batch[:1]).shape == (1, 7)


def check_gradients(model: nn.Module, but: tuple[str, ...] = ()) -> None:
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert key.startswith(but or "-") or parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_repeats_itself_and_follows_the_weights(name: str) -> None:
    """Also: any number of classes and channels, and a state_dict that carries everything."""
    model = create_model(name, 3, in_channels=1).eval()
    batch = images(name, channels=1)
    with torch.no_grad():
        logits = model(batch)
        assert logits.shape == (2, 3)
        assert torch.equal(model(batch), logits)
        other = create_model(name, 3, in_channels=1).eval()
        assert not torch.equal(other(batch), logits)
        other.load_state_dict(model.state_dict())
        assert torch.equal(other(batch), logits)


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_table_has_the_models_parameters(name: str) -> None:
    known = entry(name)
    model = create_model(name, known.num_classes, known.has_heads)
    table = cost(network(name, known.num_classes, known.has_heads), known.input_shape)
    assert table["params"].sum() == sum(parameter.numel() for parameter in model.parameters())
    for layer, params in table["params"].items():
        assert params == sum(parameter.numel() for parameter in model.get_submodule(layer).parameters()), layer


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_input_runs_and_one_pixel_less_is_named(name: str) -> None:
    model = create_model(name, 3).eval()
    height, width = smallest_input(network(name))
    with torch.no_grad():
        assert model(torch.randn(1, 3, height, width)).shape == (1, 3)
    for shape in ((1, 3, height - 1, width), (1, 3, height, width - 1)):
        with pytest.raises(ArchitectureError, match=rf"{name} takes images .* at least {height}x{width}; got \(1, 3, "):
            model(torch.randn(shape))


@pytest.mark.parametrize("name", WITH_HEADS)
def test_heads_may_need_more_pixels(name: str) -> None:
    height, width = smallest_input(network(name, aux=True))
    model = create_model(name, 3, aux=True)
    for part in model.modules():  # one image may leave a batch norm a single value
        part.training = part is model
    with torch.no_grad():
        assert len(model(torch.randn(1, 3, height, width))) > 1
        with pytest.raises(ArchitectureError, match=f"at least {height}x{width} in training, with its auxiliary heads"):
            model(torch.randn(1, 3, height - 1, width))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_compile_and_export(name: str) -> None:
    model = create_model(name, 3, **({"width": 0.25} if name == "googlenet_cifar" else {})).eval()
    batch = images(name)
    with torch.no_grad():
        logits = model(batch)
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(batch), logits)
        exported = torch.export.export(model, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        torch.testing.assert_close(exported.module()(batch[:1]), logits[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_network_with_heads_trains_compiled() -> None:
    model = create_model("small_inception", 3, aux=True)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    out = compiled(torch.randn(2, 3, 28, 28))
    assert [part.shape for part in out] == [(2, 3), (2, 3)]
    sum(part.sum() for part in out).backward()
    assert model.get_submodule("aux.head.fc.linear").weight.grad is not None


@pytest.mark.slow
def test_a_block_compiles_to_machine_code() -> None:
    block = create_model("small_inception", 3)[:2].eval()  # the whole network takes minutes
    batch = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(block)(batch), block(batch), rtol=1e-3, atol=1e-4)


def test_creating_takes_less_than_a_second(report_line: Callable[[str], None], pytestconfig: pytest.Config) -> None:
    seconds = {}
    for name in NAMES:
        started = time.perf_counter()
        create_model(name)
        seconds[name] = time.perf_counter() - started
    slowest = max(seconds, key=seconds.get)
    report_line(f"creating a network takes at most {seconds[slowest]:.2f} s ({slowest})")
    if pytestconfig.getoption("time_bounds"):
        assert seconds[slowest] < 1


def test_weights_begin_at_hes_size() -> None:
    model = create_model("inception_resnet_v1")
    for name, unit in model.named_modules():
        if isinstance(unit, ConvUnit | LinearUnit):
            weight = unit.conv.weight if isinstance(unit, ConvUnit) else unit.linear.weight
            gain = 2 if isinstance(unit.activation, nn.ReLU) else 1
            wanted = (gain / weight[0].numel()) ** 0.5
            # The standard error of a standard deviation of n values is about 1 / sqrt(2 n) of it; allow 5.
            assert weight.std().item() == pytest.approx(wanted, rel=5 / (2 * weight.numel()) ** 0.5), name


def test_a_network_without_batch_norm_begins_with_logits_of_a_moderate_size() -> None:
    model = create_model("googlenet", lrn=False)
    assert 0.1 < model(torch.randn(2, 3, 64, 64)).std().item() < 20


def test_the_seed_decides_the_weights() -> None:
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(create_model("small_inception").state_dict()["fc.linear.weight"])
    assert torch.equal(models[0], models[1])
    assert not torch.equal(models[0], models[2])


def test_a_copy_is_a_network_of_the_same_name() -> None:
    model = create_model("small_inception", 3, aux=True).eval()
    twin = copy.deepcopy(model)
    batch = torch.randn(1, 3, 28, 28)
    assert torch.equal(twin(batch), model(batch))
    assert (twin.name, twin.architecture, twin.in_channels) == ("small_inception", model.architecture, 3)


def test_the_former_name_of_network_warns() -> None:
    with pytest.warns(DeprecationWarning, match="is now called course_lib.models.network"):
        assert architecture("small_inception", 5, aux=True) == network("small_inception", 5, aux=True)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: create_model("resnet"), "there is no network 'resnet'; The networks are googlenet, "),
        (lambda: network("inception_v5"), "no network 'inception_v5'; did you mean 'inception_v4'"),
        (lambda: create_model("googlenet", 0), "num_classes must be a whole number of at least 1; got 0"),
        (lambda: create_model("googlenet", 2.0), "num_classes must be a whole number of at least 1; got 2.0"),
        (lambda: create_model("googlenet", True), "num_classes must be a whole number of at least 1; got True"),
        (lambda: create_model("googlenet", in_channels=0), "in_channels must be a whole number of at least 1; got 0"),
        (lambda: create_model("inception_v4", aux=True), "inception_v4 has no auxiliary heads, so use aux=False"),
        (
            lambda: create_model("bn_inception", norm=1),
            "has no option 'norm'; its options are bias, count_include_pad, ",
        ),
        (lambda: create_model("googlenet", dropout=1.0), "p is a probability from 0 up to, not including, 1; got 1.0"),
        (
            lambda: create_model("googlenet_bn", five_by_five="7x7"),
            "five_by_five must be one of '5x5', '3x3'; got '7x7'",
        ),
        (lambda: create_model("googlenet_cifar", width=0), "option width must be a number above 0; got 0"),
        (lambda: create_model("inception_v3", resolution=96), "resolution must be one of 299, 151, 79; got 96"),
        (lambda: create_model("small_inception", width=24), "width must be a multiple of 16, such as .*; got 24"),
        (lambda: create_model("small_inception", depth=0), "depth must be one of 1, 2, 3, 4, 5, 6, 7; got 0"),
    ],
)
def test_nonsense_is_named(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ArchitectureError, match=sentence):
        make()


def test_widths_of_the_courses_own_networks_are_multiples_of_16() -> None:
    values = [network("small_inception", 10, aux=True, width=width, depth=2) for width in (16, 48)]
    values.append(network("googlenet_cifar", 10, width=0.5))
    for value in values:
        table = cost(value, (3, 32, 32))
        convolutions = table[table["operation"].str.startswith("conv")]
        assert all(shape[0] % 16 == 0 for shape in convolutions["out_shape"])


def test_the_ladder_of_small_networks_has_even_steps() -> None:
    macs = [total(network("small_inception", 10, depth=depth), (1, 28, 28)).macs for depth in range(1, 5)]
    assert [round(each / 1e6) for each in macs] == [23, 39, 55, 71]
    assert len({after - before for before, after in pairwise(macs)}) == 1


def test_whole_numbers_of_numpy_and_torch_are_counts_and_options():
    model = create_model("small_inception", np.int64(4), in_channels=torch.tensor(1), width=np.int32(32))
    assert model(torch.rand(2, 1, 16, 16)).shape == (2, 4)
    assert type(model.architecture.layers[0].channels) is int


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("googlenet", {"lrn": "false"}, "option lrn must be True or False; got 'false'"),
        ("googlenet", {"lrn": 0}, "option lrn must be True or False; got 0"),
        ("googlenet", {"dropout": None}, "option dropout must be a number; got None"),
        ("googlenet_cifar", {"width": float("nan")}, "option width must be a number; got nan"),
        ("small_inception", {"depth": 2.0}, "option depth must be a whole number; got 2.0"),
        ("googlenet_bn", {"five_by_five": ["3x3"]}, "option five_by_five must be text; got"),
    ],
)
def test_an_option_of_another_kind_is_named(name, options, says):
    with pytest.raises(ArchitectureError, match=says):
        create_model(name, **options)
