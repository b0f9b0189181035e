"""What counts as a whole number."""

import numpy as np
import pytest
import torch

from course_lib.whole_numbers import whole_number


@pytest.mark.parametrize("value", [4, np.int64(4), np.uint8(4), np.array(4), torch.tensor(4), torch.tensor(4).short()])
def test_whole_numbers_of_all_libraries_become_pythons(value):
    assert type(whole_number(value)) is int
    assert whole_number(value) == 4


@pytest.mark.parametrize(
    "value",
    [True, np.True_, torch.tensor(True), 4.0, np.float64(4), torch.tensor(4.0), "4", None, [4], np.array([4, 5]),
     torch.tensor([4, 5]), torch.empty(1, device="meta").long()],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_none(value):
    assert whole_number(value) is None
