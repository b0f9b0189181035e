"""Every network has a picture that names all its blocks."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from course_lib.architecture import ArchitectureError
from course_lib.models import draw, entry, list_models, network


@pytest.mark.parametrize("name", list_models())
def test_every_network_has_a_picture(name: str) -> None:
    picture = draw(name)
    ElementTree.fromstring(picture.svg)
    assert name in picture.svg
    assert f">{entry(name).num_classes} logits<" in picture.svg
    assert "concat" in picture.svg


@pytest.mark.parametrize("name", [name for name in list_models() if entry(name).has_heads])
def test_heads_are_drawn_on_request(name: str) -> None:
    heads = len(network(name, aux=True).layers) - len(network(name).layers)
    assert draw(name, aux=True).svg.count("loss × ") == heads + 1  # and the note that explains the sign
    assert "loss × " not in draw(name).svg


def test_a_wrong_name_is_answered() -> None:
    with pytest.raises(ArchitectureError, match="did you mean 'inception_v3'"):
        draw("inception3")
