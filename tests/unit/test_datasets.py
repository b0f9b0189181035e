"""The public `load` and the embedded images."""

import hashlib
import re
import shutil

import numpy as np
import pytest
import torch

from course_lib.datasets import DatasetError, embedded, load


@pytest.fixture(scope="module")
def data():
    return load("fashion_mnist")


def test_embedded_images_have_the_promised_shapes_and_balance(data):
    assert data.train.images.shape == (10_000, 1, 28, 28)
    assert data.test.images.shape == (2_000, 1, 28, 28)
    assert data.train.labels.bincount().tolist() == [1_000] * 10
    assert data.test.labels.bincount().tolist() == [200] * 10
    assert data.name == "fashion_mnist"
    assert repr(data) == "ImageData(fashion_mnist: 10,000 training and 2,000 test images, 1 x 28 x 28, 10 classes)"
    assert repr(data.test) == "Split(2,000 images, 1 x 28 x 28)"


def test_embedded_images_are_distinct(data):
    images = torch.cat([data.train.images, data.test.images])
    assert len({image.tobytes() for image in images.numpy()}) == 12_000


def test_embedded_statistics_are_those_of_the_training_images(data):
    pixels = data.train.images.double() / 255
    torch.testing.assert_close(data.mean, pixels.mean().float()[None])
    torch.testing.assert_close(data.std, pixels.std(correction=0).float()[None])


def test_embedded_files_are_small_and_need_no_pickle():
    assert sum(file.stat().st_size for file in embedded.FOLDER.iterdir()) < 8_000_000
    with np.load(embedded.FOLDER / embedded.ARCHIVE_NAME, allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays.files} == {"u", "U"}


def test_data_sheet_counts_what_is_embedded(data):
    sheet = (embedded.FOLDER / "DATASHEET.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.+) \| (\d+) \| (\d+) \|$", sheet, re.MULTILINE)
    counted = zip(
        data.classes, data.train.labels.bincount().tolist(), data.test.labels.bincount().tolist(), strict=True
    )
    assert rows == [(str(label), *map(str, row)) for label, row in enumerate(counted)]


def test_checksum_file_is_that_of_sha256sum():
    digest = hashlib.sha256((embedded.FOLDER / embedded.ARCHIVE_NAME).read_bytes()).hexdigest()
    assert (embedded.FOLDER / embedded.CHECKSUM_NAME).read_text() == f"{digest}  {embedded.ARCHIVE_NAME}\n"


@pytest.fixture
def copied_folder(tmp_path):
    return shutil.copytree(embedded.FOLDER, tmp_path / "fashion_mnist")


def flip_last_byte(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], flip_last_byte, lambda content: b""])
def test_changed_archive_is_refused(copied_folder, damage):
    archive = copied_folder / embedded.ARCHIVE_NAME
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(DatasetError, match=rf"{re.escape(str(archive))} is truncated or changed.*git checkout"):
        embedded.load_embedded(copied_folder)


@pytest.mark.parametrize("name", [embedded.ARCHIVE_NAME, embedded.CHECKSUM_NAME])
def test_missing_embedded_file_is_named(copied_folder, name):
    (copied_folder / name).unlink()
    path = re.escape(str(copied_folder / name))
    with pytest.raises(DatasetError, match=rf"Cannot read {path}.*git checkout -- {path}.*install the course again"):
        embedded.load_embedded(copied_folder)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mnist",), {}, "Unknown data set 'mnist'; choose one of fashion_mnist, cifar10, image_folder"),
        (("cifar10",), {}, "cifar10 needs root="),
        (("image_folder",), {}, "image_folder needs root="),
        (("fashion_mnist",), {"download": True}, "fashion_mnist needs root="),
        (("image_folder", "x"), {"download": True}, "image_folder cannot be downloaded"),
        (("cifar10", "x"), {"image_size": (8, 8)}, "cifar10 has one image size"),
        (("image_folder", "x"), {"image_size": (8, 0)}, r"image_size is \(8, 0\); give \(height, width\)"),
        (("image_folder", "x"), {"image_size": (8,)}, r"image_size is \(8,\); give \(height, width\)"),
        (("image_folder", "x"), {"image_size": 8}, r"image_size is 8; give \(height, width\)"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, options, message):
    with pytest.raises(DatasetError, match=message):
        load(*arguments, **options)
