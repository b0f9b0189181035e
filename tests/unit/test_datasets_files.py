"""IDX files, torchvision's files, downloads that succeed and fail, and the script that makes the embedded images."""

import gzip
import hashlib
import importlib.util
import io
import pickle
import re
import struct
import tarfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, FashionMNIST
from torchvision.datasets import utils as torchvision_utils

from course_lib.datasets import DatasetError, embedded, load
from course_lib.datasets.idx import read_idx

RNG = np.random.default_rng(0)
SPLIT_SIZES = {"train": 40, "t10k": 20}


def to_idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def match(*parts):
    """A pattern that finds the parts, taken literally, in this order."""
    return ".*".join(re.escape(str(part)) for part in parts)


def snapshot(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def idx_files():
    """File name -> content of a small data set in Fashion-MNIST's format, and its arrays under the same names."""
    arrays = {}
    for prefix, n in SPLIT_SIZES.items():
        arrays[f"{prefix}-images-idx3-ubyte"] = RNG.integers(0, 256, (n, 28, 28), np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = RNG.permutation(n).astype(np.uint8) % 10
    return {name: to_idx(array) for name, array in arrays.items()}, arrays


def check_fashion_mnist(data, arrays):
    for split, prefix in ((data.train, "train"), (data.test, "t10k")):
        np.testing.assert_array_equal(split.images[:, 0].numpy(), arrays[f"{prefix}-images-idx3-ubyte"])
        np.testing.assert_array_equal(split.labels.numpy(), arrays[f"{prefix}-labels-idx1-ubyte"])


@pytest.mark.parametrize("folder", [".", "FashionMNIST/raw"])
@pytest.mark.parametrize("compressed", [False, True])
def test_fashion_mnist_is_read_plain_and_compressed(tmp_path, idx_files, folder, compressed):
    contents, arrays = idx_files
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = tmp_path / folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    data = load("fashion_mnist", tmp_path)
    check_fashion_mnist(data, arrays)
    assert data.classes == tuple(FashionMNIST.classes)


def test_missing_idx_file_is_named(tmp_path, idx_files):
    for name, content in idx_files[0].items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DatasetError, match=match(tmp_path, "t10k-labels-idx1-ubyte", "download=True")):
        load("fashion_mnist", tmp_path)


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path, idx_files):
    for name, content in idx_files[0].items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(to_idx(np.zeros(39, np.uint8)))
    with pytest.raises(DatasetError, match=match(tmp_path, "(40, 28, 28)", "(39,)", "fresh copy")):
        load("fashion_mnist", tmp_path)


GOOD = to_idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("a", GOOD[:-1], "holds 23 bytes after its header, which announces 24", id="one byte short"),
        pytest.param("a", GOOD + b"x", "holds 25 bytes after its header, which announces 24", id="one byte more"),
        pytest.param("a", GOOD[:10], "ends within its header", id="short header"),
        pytest.param("a", b"", "does not begin as an IDX file", id="empty"),
        pytest.param("a", b"\x00\x00\x0d" + GOOD[3:], "does not begin as an IDX file", id="wrong type"),
        pytest.param("a", bytes([0, 0, 8, 255]) + bytes(4 * 255), "announces 255 dimensions", id="255 dimensions"),
        pytest.param("a", bytes([0, 0, 8, 0]) + b"x", "announces 0 dimensions", id="no dimension"),
        pytest.param(
            "a", to_idx(np.zeros((2, 0, 0), np.uint8)), "the shape (2, 0, 0), which has no", id="0x0 pictures"
        ),
        pytest.param(
            "a", struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "no element", id="huge and empty"
        ),
        pytest.param("a.gz", gzip.compress(GOOD)[:-9], "is truncated or damaged", id="short gzip"),
        pytest.param("a.gz", GOOD, "is truncated or damaged", id="not gzip"),
    ],
)
def test_damaged_idx_file_is_refused(tmp_path, name, content, problem):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=match(path, problem, "fresh copy")):
        read_idx(path)


def test_changed_byte_in_compressed_idx_file_is_noticed(tmp_path):
    content = bytearray(gzip.compress(GOOD, compresslevel=0))
    content[-12] ^= 1  # The last pixel, stored as it is before the eight bytes of checksum and length.
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=match(path, "CRC check failed")):
        read_idx(path)


def test_unreadable_idx_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=match("Cannot read", tmp_path / "none", "No such file")):
        read_idx(tmp_path / "none")


@pytest.fixture(scope="module")
def cifar10_archive():
    """The .tar.gz of a small data set in CIFAR-10's format, its files' MD5 sums, and its images and labels."""
    images, labels = RNG.integers(0, 256, (60, 3, 32, 32), np.uint8), RNG.integers(0, 10, 60).tolist()
    names = [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]
    files = {CIFAR10.meta["filename"]: pickle.dumps({"label_names": list("abcdefghij")})}
    for i, name in enumerate(names):
        batch = slice(10 * i, 10 * i + 10)
        files[name] = pickle.dumps({"data": images[batch].reshape(10, -1), "labels": labels[batch]})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue(), {name: md5(content) for name, content in files.items()}, images, labels


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def server(monkeypatch, idx_files, cifar10_archive):
    """URL's last part -> content; torchvision downloads from here, and expects the MD5 sums of the small data sets."""
    archive, sums, _, _ = cifar10_archive
    files = {f"{name}.gz": gzip.compress(content) for name, content in idx_files[0].items()}
    monkeypatch.setattr(FashionMNIST, "resources", [(name, md5(content)) for name, content in files.items()])
    files[CIFAR10.filename] = archive
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    for attribute in ("train_list", "test_list"):
        names = [[name, sums[name]] for name, _ in getattr(CIFAR10, attribute)]
        monkeypatch.setattr(CIFAR10, attribute, names)
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums[CIFAR10.meta["filename"]]})

    def retrieve(url, filename, chunk_size=0):
        content = files.get(url.rpartition("/")[2])
        if content is None:
            raise URLError("Temporary failure in name resolution")
        Path(filename).write_bytes(content)

    monkeypatch.setattr(torchvision_utils, "_urlretrieve", retrieve)
    monkeypatch.setattr(torchvision_utils, "_get_redirect_url", lambda url, max_hops: url)
    return files


def test_fashion_mnist_downloads_into_a_new_root(tmp_path, server, idx_files):
    root = tmp_path / "new" / "root"
    check_fashion_mnist(load("fashion_mnist", root, download=True), idx_files[1])
    assert [path.name for path in root.iterdir()] == ["FashionMNIST"]
    server.clear()
    check_fashion_mnist(load("fashion_mnist", root, download=True), idx_files[1])


def test_cifar10_downloads_and_loads(tmp_path, server, cifar10_archive):
    _, _, images, labels = cifar10_archive
    data = load("cifar10", tmp_path, download=True)
    assert data.classes == tuple("abcdefghij")
    np.testing.assert_array_equal(torch.cat([data.train.images, data.test.images]).numpy(), images)
    assert torch.cat([data.train.labels, data.test.labels]).tolist() == labels


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
@pytest.mark.parametrize("failure", ["no network", "truncated"])
def test_failed_download_leaves_root_as_it_was(tmp_path, server, name, failure):
    load(name, tmp_path, download=True)
    damaged = sorted(file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".gz")[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = snapshot(tmp_path)
    for file, content in list(server.items()):
        server[file] = None if failure == "no network" else content[: len(content) // 2]
    reason = "name resolution" if failure == "no network" else "File not found or corrupted"
    with pytest.raises(DatasetError, match=match("Could not download", tmp_path, reason, "check the network")):
        load(name, tmp_path, download=True)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_download_mends_a_damaged_file_and_keeps_the_others(tmp_path, server, name):
    load(name, tmp_path, download=True)
    before = snapshot(tmp_path)
    damaged = sorted(file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".gz")[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (damaged.parent / "notes.txt").write_text("mine")
    load(name, tmp_path, download=True)
    assert snapshot(tmp_path) == before | {str((damaged.parent / "notes.txt").relative_to(tmp_path)): b"mine"}


def test_root_that_cannot_be_written_is_named(tmp_path, server):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=match("Cannot write CIFAR10 to", tmp_path / "file", "choose a root")):
        load("cifar10", tmp_path / "file", download=True)


def test_missing_cifar10_is_named(tmp_path):
    with pytest.raises(DatasetError, match=match(tmp_path / CIFAR10.base_folder, "does not exist", "download=True")):
        load("cifar10", tmp_path)


def test_cifar10_with_a_wrong_checksum_is_refused_before_it_is_unpickled(tmp_path, server, monkeypatch):
    load("cifar10", tmp_path, download=True)
    folder = tmp_path / CIFAR10.base_folder
    (folder / "test_batch").write_bytes(b"changed")
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("unpickled an unchecked file"))
    with pytest.raises(DatasetError, match=match(folder, "fails its checksum", CIFAR10.filename, "download=True")):
        load("cifar10", tmp_path)


@pytest.fixture(scope="module")
def script():
    path = embedded.FOLDER.parent / "make_fashion_mnist.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_script_takes_the_first_of_each_class_and_repeats_itself(tmp_path, script, idx_files):
    contents, arrays = idx_files
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for output in ("first", "second"):
        script.write(script.select(tmp_path, {"train": 3, "test": 2}), tmp_path / output)
    assert snapshot(tmp_path / "first") == snapshot(tmp_path / "second")
    data = embedded.load_embedded(tmp_path / "first")
    for split, prefix, n in ((data.train, "train", 3), (data.test, "t10k", 2)):
        labels = arrays[f"{prefix}-labels-idx1-ubyte"].tolist()
        chosen = [i for i, label in enumerate(labels) if labels[:i].count(label) < n]
        np.testing.assert_array_equal(split.images[:, 0].numpy(), arrays[f"{prefix}-images-idx3-ubyte"][chosen])
        assert split.labels.tolist() == [labels[i] for i in chosen]


def test_script_makes_the_embedded_images_again(script):
    if not script.DEBIAN_FOLDER.is_dir():
        pytest.skip(f"no original files in {script.DEBIAN_FOLDER} (Debian package dataset-fashion-mnist)")
    made = script.select(script.DEBIAN_FOLDER, script.IMAGES_PER_CLASS)
    with np.load(embedded.FOLDER / embedded.ARCHIVE_NAME, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == sorted(made)
        for name in arrays.files:
            np.testing.assert_array_equal(arrays[name], made[name], err_msg=name)
