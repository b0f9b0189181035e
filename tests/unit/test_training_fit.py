"""`fit`: the same as a plain loop, the same twice, fast formats really in use, and clear ends when things go wrong."""

from itertools import chain

import pytest
import torch
import torch.nn.functional as F
from tiny_training import small_network, two_classes
from torch import nn

from course_lib.datasets import ImageData, Split
from course_lib.training import DivergedError, Recipe, evaluate, fit, has_bf16, normalize, predict_logits

TIMES = ["seconds", "images_per_second"]
PLAIN = {"pad": 0, "flip": False, "weight_decay": 0.0}


class Counting(nn.Module):
    """A linear model that calls `at_call(number, logits)` on each forward in training, and gives what that gives."""

    def __init__(self, at_call):
        super().__init__()
        self.linear, self.at_call, self.calls = nn.Linear(64, 2), at_call, 0

    def forward(self, x):
        logits = self.linear(x.flatten(1))
        if not self.training:
            return logits
        self.calls += 1
        return self.at_call(self.calls, logits)


def test_it_learns_classes_that_are_easy_to_tell_apart():
    history = fit(small_network(), two_classes(), Recipe(epochs=3, batch_size=16, flip=True, pad=1), progress=False)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["test_accuracy"].iloc[-1] > 0.95
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert (history[TIMES] > 0).all(axis=None)


def test_the_same_seed_gives_the_same_history_whatever_the_global_generator_holds():
    data, recipe = two_classes(), Recipe(epochs=2, batch_size=16, pad=1)

    def run(global_seed: int, recipe: Recipe):
        model = small_network()
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        history = fit(model, data, recipe, progress=False)
        assert torch.equal(torch.get_rng_state(), before), "fit disturbed the global generator"
        return history.drop(columns=TIMES), model.state_dict()

    (first, weights), (again, weights_again) = run(1, recipe), run(2, recipe)
    assert first.equals(again)
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    other, _ = run(1, Recipe(epochs=2, batch_size=16, pad=1, seed=1))
    assert not first["train_loss"].equals(other["train_loss"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_equals_a_plain_loop_over_the_whole_data_set(optimizer):
    data = two_classes(train=32)
    recipe = Recipe(
        epochs=4, batch_size=32, optimizer=optimizer, learning_rate=0.05, momentum=0.8, weight_decay=0.01,
        label_smoothing=0.1, pad=0, flip=False,
    )  # fmt: skip
    model, reference = (nn.Sequential(nn.Flatten(), nn.Linear(64, 2)) for _ in range(2))
    reference.load_state_dict(model.state_dict())
    history = fit(model, data, recipe, bf16=False, progress=False)
    if optimizer == "sgd":
        plain = torch.optim.SGD(reference.parameters(), momentum=0.8, weight_decay=0.01, nesterov=True)
    else:
        plain = torch.optim.AdamW(reference.parameters(), betas=(0.8, 0.999), weight_decay=0.01)
    x = (data.train.images / 255 - data.mean.view(-1, 1, 1)) / data.std.view(-1, 1, 1)
    for epoch, row in history.iterrows():
        loss = F.cross_entropy(reference(x), data.train.labels, label_smoothing=0.1)
        assert row["train_loss"] == pytest.approx(loss.item(), rel=1e-4)
        plain.param_groups[0]["lr"] = recipe.learning_rate_at(epoch + 0.5)
        assert row["learning_rate"] == plain.param_groups[0]["lr"]
        plain.zero_grad()
        loss.backward()
        plain.step()
    torch.testing.assert_close(model.state_dict(), reference.state_dict(), rtol=1e-4, atol=1e-6)


def test_an_epoch_shows_every_image_once_in_batches_of_nearly_one_size():
    pixels = torch.arange(10, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).clone()
    split = Split(pixels, torch.arange(10) % 2)
    data = ImageData("numbered", ("even", "odd"), split, split, torch.zeros(1), torch.ones(1))
    model, batches = small_network(), []

    def record(module, inputs):
        if module.training:
            batches.append((inputs[0][:, 0, 0, 0] * 255).round().int().tolist())

    model.register_forward_pre_hook(record)
    fit(model, data, Recipe(epochs=2, batch_size=4, **PLAIN), progress=False)
    assert [len(batch) for batch in batches] == [4, 3, 3] * 2
    first, second = list(chain(*batches[:3])), list(chain(*batches[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bf16", [True, False, None])
def test_activations_are_channels_last_in_the_asked_precision(channels, bf16):
    model, seen = small_network(channels), []
    model[3].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    fit(
        model,
        two_classes(channels=channels),
        Recipe(epochs=1, batch_size=32, warmup_epochs=0),
        bf16=bf16,
        progress=False,
    )
    expected = torch.bfloat16 if (has_bf16(torch.device("cpu")) if bf16 is None else bf16) else torch.float32
    assert seen
    for activation in seen:
        assert activation.is_contiguous(memory_format=torch.channels_last)
        assert not activation.is_contiguous()
        assert activation.dtype == expected
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(bad):
    model = Counting(lambda call, logits: logits * bad if call == 6 else logits)
    recipe = Recipe(epochs=3, batch_size=24, schedule="constant", warmup_epochs=0, learning_rate=0.02)
    with pytest.raises(
        DivergedError, match=r"step 2 of epoch 2, learning rate 0\.02; try learning_rate=0\.002"
    ) as error:
        fit(model, two_classes(), recipe, progress=False)
    assert error.value.history["epoch"].tolist() == [1]
    assert not model.training


def test_an_interrupt_returns_the_finished_epochs_and_keeps_the_model(capsys):
    def interrupt(call, logits):
        if call == 6:
            raise KeyboardInterrupt
        return logits

    model, before = Counting(interrupt), torch.get_rng_state()
    untrained = model.linear.weight.detach().clone()
    history = fit(model, two_classes(), Recipe(epochs=3, batch_size=24), progress=False)
    assert history["epoch"].tolist() == [1]
    assert "Interrupted after 1 of 3 epochs" in capsys.readouterr().out
    assert not model.training
    assert not torch.equal(model.linear.weight, untrained)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_bar_counts_steps_and_progress_off_is_silent(capsys, recwarn):
    recipe = Recipe(epochs=2, batch_size=48)
    fit(small_network(), two_classes(), recipe)
    shown = capsys.readouterr()
    assert "4/4" in shown.err
    assert "test accuracy" in shown.err
    assert shown.out == ""
    fit(small_network(), two_classes(), recipe, progress=False)
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("head", "found"),
    [(nn.Linear(64, 3), r"of shape \(32, 3\)"), (nn.Unflatten(1, (8, 8)), r"of shape \(32, 8, 8\)")],
)
def test_an_output_that_does_not_fit_the_classes_is_refused(head, found):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), head)
    with pytest.raises(ValueError, match=rf"output is {found}, but 2 classes need logits \(N, 2\)"):
        fit(model, two_classes(), Recipe(batch_size=32), progress=False)


def test_a_model_that_returns_a_tuple_is_refused():
    model = Counting(lambda call, logits: (logits, logits))
    with pytest.raises(ValueError, match=r"output is a tuple, but 2 classes need logits"):
        fit(model, two_classes(), Recipe(batch_size=32), progress=False)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_equals_the_formula_and_leaves_the_model_as_it_was(training):
    data, model = two_classes(test=600), small_network()
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss, accuracy = evaluate(model, data.test, data, bf16=False)
    logits = predict_logits(model, data.test.images, data, bf16=False)
    assert model.training == training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not logits.requires_grad
    expected = model.eval()(normalize(data.test.images, data.mean, data.std)).detach()
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    log_p = expected.double().log_softmax(1)[torch.arange(600), data.test.labels]
    assert loss == pytest.approx(-log_p.mean().item(), rel=1e-4)
    assert accuracy == pytest.approx((expected.argmax(1) == data.test.labels).double().mean().item())


def test_no_image_to_predict_is_refused():
    data = two_classes()
    with pytest.raises(ValueError, match="at least one"):
        predict_logits(small_network(), data.test.images[:0], data)
