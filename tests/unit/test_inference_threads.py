"""A batch shared out among threads gives what it gives whole, and leaves PyTorch's settings as they were."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from course_lib.models import create_model, optimize_for_inference
from course_lib.models.inference.threads import over_threads


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


class Computation:
    """Doubles its input and notes each call: images, PyTorch's threads, and whether another Python thread made it."""

    def __init__(self) -> None:
        self.caller = threading.get_ident()
        self.calls: list[tuple[int, int, bool]] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.calls.append((len(x), torch.get_num_threads(), threading.get_ident() != self.caller))
        return 2 * x


@pytest.mark.parametrize(
    ("threads", "images", "calls"),
    [
        (2, 8, [(4, 1, True)] * 2),
        (4, 6, [(3, 2, True)] * 2),
        (3, 3, [(1, 1, True)] * 3),
        (2, 7, [(7, 2, False)]),
        (2, 0, [(0, 2, False)]),
        (1, 8, [(8, 1, False)]),
    ],
)
def test_a_batch_goes_to_as_many_threads_as_divide_it(set_threads, threads, images, calls) -> None:
    set_threads(threads)
    compute, x = Computation(), torch.randn(images, 3)
    for _ in range(3):  # the same workers again
        compute.calls.clear()
        assert torch.equal(over_threads(compute, x), 2 * x)
        assert compute.calls == calls
    assert torch.get_num_threads() == threads


def test_threads_to_come_have_as_many_as_before(set_threads) -> None:
    set_threads(5)
    over_threads(Computation(), torch.zeros(5))
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [5]


def test_what_holds_for_this_thread_holds_for_the_others(set_threads) -> None:
    set_threads(2)
    weight = torch.ones(3, 3, requires_grad=True)
    with torch.inference_mode():
        assert over_threads(lambda x: x @ weight, torch.ones(2, 3)).is_inference()
    with torch.no_grad():
        out = over_threads(lambda x: x @ weight, torch.ones(2, 3))
        assert not out.is_inference()
        assert not out.requires_grad
        with torch.autocast("cpu", torch.bfloat16):
            assert over_threads(lambda x: x @ weight, torch.ones(2, 3)).dtype == torch.bfloat16
        assert over_threads(lambda x: x @ weight, torch.ones(2, 3)).dtype == torch.float32


def test_gradients_and_compilers_take_the_whole_batch(set_threads) -> None:
    set_threads(2)
    compute = Computation()
    over_threads(compute, torch.ones(2, 3, requires_grad=True)).sum().backward()
    assert compute.calls == [(2, 2, False)]
    compiled = torch.compile(lambda x: over_threads(lambda part: 2 * part, x), backend="eager", fullgraph=True)
    assert torch.equal(compiled(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_an_error_in_a_share_is_raised_and_the_next_batch_works(set_threads) -> None:
    set_threads(2)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        over_threads(lambda x: x @ torch.ones(2, 2), torch.ones(2, 3))
    assert torch.equal(over_threads(lambda x: 2 * x, torch.ones(2, 3)), torch.full((2, 3), 2.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_network_gives_the_same_logits_on_one_thread_and_on_two(set_threads, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    fast = optimize_for_inference(create_model("small_inception", 10), dtype=dtype)
    images = torch.randn(4, 3, 32, 32)
    logits = []
    for threads in (1, 2):
        set_threads(threads)
        with torch.no_grad():
            logits.append(fast(images))
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-4 if dtype == torch.float32 else 0.05, atol=1e-3)


def test_a_batch_that_does_not_fit_is_reported_whole(set_threads) -> None:
    set_threads(2)
    with pytest.raises(ValueError, match=r"got \(4, 1, 32, 32\)"):
        optimize_for_inference(create_model("small_inception", 10))(torch.zeros(4, 1, 32, 32))
