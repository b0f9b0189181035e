"""Image trees: decoding, the cache and its renewal, and every tree that cannot be loaded."""

import io
import os
import re
import shutil
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.datasets import DatasetError, image_cache, image_files, image_folder, load
from course_lib.training.augment import normalize

CLASSES = ("cat", "dog")
FILES_PER_CLASS = {"train": 3, "test": 2}


def match(*parts):
    """A pattern that finds the parts, taken literally, in this order."""
    return ".*".join(re.escape(str(part)) for part in parts)


def random_image(seed, height=6, width=5):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(image_cache, "_IMAGES_PER_BLOCK", 4)  # Fewer than the training images: several blocks.
    return tmp_path / "cache" / "inception-course" / "image_folder"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "pets"
    for split, n in FILES_PER_CLASS.items():
        for class_name in CLASSES:
            for i in range(n):
                save(root / split / class_name / f"{i}.png", random_image(len(list(root.rglob("*.png")))))
    return root


def forbid_decoding(monkeypatch):
    for module in (image_files, image_folder):
        monkeypatch.setattr(module, "read_rgb", lambda path, upright=True: pytest.fail(f"decoded {path} again"))


def pixels_on_disk(root, split):
    files = sorted((root / split).rglob("*.png"))
    return np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])


def test_png_tree_comes_back_bit_exact(root):
    data = load("image_folder", root)
    assert (data.name, data.classes) == ("pets", CLASSES)
    for split_name, split in (("train", data.train), ("test", data.test)):
        np.testing.assert_array_equal(split.images.numpy(), pixels_on_disk(root, split_name))
        assert split.labels.tolist() == [0] * FILES_PER_CLASS[split_name] + [1] * FILES_PER_CLASS[split_name]
    pixels = data.train.images.double() / 255
    torch.testing.assert_close(data.mean, pixels.mean(dim=(0, 2, 3)).float())
    torch.testing.assert_close(data.std, pixels.std(dim=(0, 2, 3), correction=0).float())


def test_second_load_equals_the_first_without_decoding(root, monkeypatch):
    first = load("image_folder", root)
    forbid_decoding(monkeypatch)
    second = load("image_folder", root)
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.test.labels, second.test.labels)
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.std, second.std)


def test_root_is_only_read(root):
    before = {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}
    load("image_folder", root)
    assert {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


def change_pixels(root):
    file = root / "train" / "cat" / "0.png"
    old = file.stat()
    save(file, 255 - np.asarray(Image.open(file)))
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns + 1_000_000))


CHANGES = {
    "pixels": change_pixels,
    "addition": lambda root: save(root / "test" / "dog" / "new.png", random_image(99)),
    "removal": lambda root: (root / "train" / "dog" / "2.png").unlink(),
    "new name": lambda root: (root / "train" / "dog" / "0.png").rename(root / "train" / "dog" / "9.png"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_tree_is_decoded_again_and_replaces_its_old_entry(root, cache, change):
    load("image_folder", root)
    change(root)
    data = load("image_folder", root)
    for name, split in (("train", data.train), ("test", data.test)):
        np.testing.assert_array_equal(split.images.numpy(), pixels_on_disk(root, name))
    assert len(list(cache.glob("*/*"))) == 1


def test_writing_to_an_image_changes_neither_cache_nor_process(root):
    data = load("image_folder", root)
    data.train.images.fill_(0)
    np.testing.assert_array_equal(load("image_folder", root).train.images.numpy(), pixels_on_disk(root, "train"))


def altered_byte(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def other_archive(content):
    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros((6, 3, 6, 5), np.uint8))
    return buffer.getvalue()


DAMAGES = {
    "truncated": lambda content: content[:-5],
    "empty": lambda content: b"",
    "altered": altered_byte,
    "another archive": other_archive,
    "damaged archive": lambda content: b"PK\x03\x04" + content[4:],
}


@pytest.mark.parametrize("name", ["train_images.npy", "test_images.npy", "statistics.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", [*DAMAGES.values(), None], ids=[*DAMAGES, "missing"])
def test_damaged_cache_is_made_again(root, cache, name, damage):
    first = load("image_folder", root)
    (file,) = cache.glob(f"*/*/{name}")
    sound = file.read_bytes()
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(sound))
    again = load("image_folder", root)
    np.testing.assert_array_equal(again.train.images.numpy(), pixels_on_disk(root, "train"))
    assert torch.equal(again.mean, first.mean)
    assert file.read_bytes() == sound


def test_cache_entry_reaches_the_disk_before_it_has_its_name(root, cache, monkeypatch):
    synced, replace, fsync = [], os.replace, os.fsync

    def note(descriptor):
        synced.append(descriptor)
        fsync(descriptor)

    def check(new, entry):
        if os.path.isdir(new):
            assert len(synced) == len(os.listdir(new)) == 4
        replace(new, entry)

    monkeypatch.setattr(image_cache.os, "fsync", note)
    monkeypatch.setattr(image_cache.os, "replace", check)
    load("image_folder", root)
    assert len(synced) == 4


def test_entry_written_by_another_process_meanwhile_is_used(root, monkeypatch):
    replace = os.replace

    def lose_the_race(new, entry):
        if os.path.isdir(new):
            shutil.copytree(new, entry)
        replace(new, entry)

    monkeypatch.setattr(image_cache.os, "replace", lose_the_race)
    np.testing.assert_array_equal(load("image_folder", root).test.images.numpy(), pixels_on_disk(root, "test"))


def test_resized_and_original_images_are_cached_side_by_side(root, monkeypatch):
    save(root / "test" / "cat" / "0.png", random_image(7, height=12, width=20))
    resized = load("image_folder", root, image_size=(4, 7))
    assert resized.train.images.shape == (6, 3, 4, 7)
    assert resized.test.images.shape == (4, 3, 4, 7)
    save(root / "test" / "cat" / "0.png", random_image(7))
    load("image_folder", root, image_size=(4, 7))
    assert load("image_folder", root).train.images.shape == (6, 3, 6, 5)
    forbid_decoding(monkeypatch)
    assert load("image_folder", root, image_size=(4, 7)).train.images.shape == (6, 3, 4, 7)


def test_grey_images_and_other_suffixes_are_read_as_rgb(root):
    grey = random_image(3)[:, :, 0]
    save(root / "train" / "cat" / "3.PNG", grey)
    save(root / "train" / "cat" / "4.JPEG", np.full((6, 5, 3), 80, np.uint8))
    save(root / "train" / "cat" / "5.jpg", np.full((6, 5), 90, np.uint8))
    (root / "train" / "cat" / "Thumbs.db").write_bytes(b"no image")
    images = load("image_folder", root).train.images
    assert len(images) == 9
    np.testing.assert_array_equal(images[3].numpy(), np.stack([grey] * 3))
    assert images[4].unique().tolist() == [80]
    assert images[5].unique().tolist() == [90]


def test_photographs_stand_upright(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned clockwise by a quarter.
    save(root / "train" / "cat" / "3.jpg", np.zeros((5, 6, 3), np.uint8), exif=exif)
    assert load("image_folder", root).train.images.shape == (7, 3, 6, 5)


SOLID = np.full((6, 5, 3), (200, 40, 90), np.uint8)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".webp", ".bmp", ".gif", ".tif", ".TIFF"])
def test_other_formats_are_read(root, suffix):
    file = root / "train" / "cat" / f"3{suffix}"
    save(file, SOLID, format="JPEG" if suffix in (".jfif", ".jpe") else None)
    pixels = load("image_folder", root).train.images[3].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(pixels.astype(int), SOLID, atol=6)  # three of the formats are lossy


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".png"])
def test_photographs_of_every_format_stand_upright(root, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.zeros((5, 6, 3), np.uint8)
    stored[:, :3] = 255  # the left half becomes the upper half
    save(root / "train" / "cat" / f"3{suffix}", stored, exif=exif)
    upright = load("image_folder", root).train.images[3]
    assert upright.shape == (3, 6, 5)
    assert upright[:, :2].float().mean() > 240
    assert upright[:, 4:].float().mean() < 15


def drawing(mode):
    """A black bar on transparent ground, as a picture of this mode."""
    alpha = np.zeros((6, 5), np.uint8)
    alpha[2:4] = 255
    picture = Image.fromarray(np.dstack([np.zeros((6, 5, 3), np.uint8), alpha]))
    if mode == "P":  # index 0 is transparent, index 1 black
        palette = Image.fromarray((alpha // 255).astype(np.uint8), "L").convert("P")
        palette.putpalette([0] * 6)
        palette.info["transparency"] = 0
        return palette
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((".png", mode) for mode in ("RGBA", "LA", "P")),
        *((".gif", mode) for mode in ("RGBA", "P")),
        *((".tif", mode) for mode in ("RGBA", "LA")),
        (".webp", "RGBA"),
    ],
)
def test_what_is_transparent_is_laid_on_white(root, suffix, mode):
    options = {"lossless": True} if suffix == ".webp" else {}
    drawing(mode).save(root / "train" / "cat" / f"3{suffix}", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = load("image_folder", root).train.images[3]
    expected = np.full((3, 6, 5), 255, np.uint8)
    expected[:, 2:4] = 0
    np.testing.assert_array_equal(picture.numpy(), expected)


def test_a_palette_with_an_alpha_for_each_colour_is_read_without_a_warning(root):
    palette = Image.fromarray(np.tile(np.arange(5, dtype=np.uint8), (6, 1)), "L").convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    palette.save(root / "train" / "cat" / "3.png", transparency=bytes([0, 255, 255, 255, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = load("image_folder", root).train.images[3, :, 0].T.tolist()
    assert row == [[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


def test_hidden_files_are_ignored(root):
    first = load("image_folder", root)
    cat = root / "train" / "cat"
    (cat / "._0.png").write_bytes(b"\0\5\x16\7 of macOS")
    shutil.copy(cat / "0.png", cat / ".0.png")
    (root / "train" / "._cat").write_bytes(b"\0\5\x16\7")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load("image_folder", root)
    assert torch.equal(first.train.images, again.train.images)


def test_images_left_out_are_counted_in_one_warning(root):
    cat = root / "train" / "cat"
    (cat / "a.heic").write_bytes(b"x")
    (cat / "b.AVIF").write_bytes(b"x")
    (root / "test" / "dog" / "c.heic").write_bytes(b"x")
    (cat / "d.png").symlink_to(cat / "nothing.png")
    (cat / "notes.txt").write_text("no image")
    save(cat / "young" / "kittens" / "e.png", random_image(0))
    save(root / "train" / "f.jpg", random_image(0))
    says = "6 of the images are left out: 1 .avif, 2 .heic, 1 beside the class folders, 1 by a broken link, 1 in deeper"
    for _ in range(2):  # also when the cache is there
        with pytest.warns(UserWarning, match=match(root, says)) as warned:
            assert len(load("image_folder", root).train) == 6
        assert len(warned) == 1


def test_a_class_of_broken_links_alone_says_so(root):
    for file in (root / "test" / "dog").iterdir():
        file.unlink()
        file.symlink_to(root / "nothing.png")
    with pytest.raises(DatasetError, match=match(root / "test" / "dog", "left out: 2 by a broken link", ".webp")):
        load("image_folder", root)


def test_class_names_are_the_same_in_both_forms_of_unicode(root):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    (root / "train" / "cat").rename(root / "train" / composed)
    (root / "test" / "cat").rename(root / "test" / decomposed)
    data = load("image_folder", root)
    assert data.classes == (composed, "dog")
    np.testing.assert_array_equal(data.test.images[:2].numpy(), pixels_on_disk(root / "test", decomposed))
    (root / "test" / "dog").rename(root / "test" / composed)
    with pytest.raises(DatasetError, match=match(root / "test", repr(composed), "twice", "move the images")):
        load("image_folder", root)


@pytest.mark.parametrize("channel", [0, slice(None)], ids=["no red", "black"])
def test_a_channel_that_never_changes_is_divided_by_one(root, channel):
    for file in root.rglob("*.png"):
        pixels = np.array(Image.open(file))
        pixels[:, :, channel] = 0
        save(file, pixels)
    data = load("image_folder", root)
    dead = np.zeros(3, bool)
    dead[channel] = True
    assert data.std[dead].tolist() == [1] * dead.sum()
    assert (data.std[~dead] != 1).all()
    assert normalize(data.train.images, data.mean, data.std).isfinite().all()


@pytest.mark.parametrize("size", [np.array([4, 7]), torch.tensor([4, 7])], ids=["NumPy", "PyTorch"])
def test_image_size_takes_whole_numbers_of_any_library(root, size):
    data = load("image_folder", root, image_size=(size[0], size[1]))
    assert data.train.images.shape == (6, 3, 4, 7)
    with pytest.raises(DatasetError, match="two whole numbers above zero"):
        load("image_folder", root, image_size=(size[0] * 1.0, size[1]))


def test_images_of_several_sizes_need_image_size(root):
    odd = root / "test" / "cat" / "0.png"
    save(odd, random_image(0, height=8, width=9))
    with pytest.raises(DatasetError, match=match(odd, "8 x 9 pixels", "6 x 5", "image_size=(height, width)")):
        load("image_folder", root)


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "truncated"])
@pytest.mark.parametrize("name", ["1.png", "1.jpg"])
def test_unreadable_image_is_named_and_leaves_no_cache(root, cache, name, content):
    file = root / "train" / "dog" / name
    save(file, random_image(1))
    file.write_bytes(file.read_bytes()[:-60] if content is None else content)
    with pytest.raises(DatasetError, match=match("Cannot read image", file, "replace or remove it")):
        load("image_folder", root)
    assert [path for path in cache.rglob("*") if path.is_file() or path.name.startswith(".")] == []


def test_image_of_16_bits_is_refused(root):
    file = root / "train" / "dog" / "3.png"
    save(file, random_image(1)[:, :, 0].astype(np.uint16) * 256)
    with pytest.raises(DatasetError, match=match(file, "more than 8 bits", "convert")):
        load("image_folder", root)


def test_missing_root_or_split_is_named(root, tmp_path):
    with pytest.raises(DatasetError, match=match(tmp_path / "none" / "train", "does not exist", "<class>")):
        load("image_folder", tmp_path / "none")
    shutil.rmtree(root / "test")
    with pytest.raises(DatasetError, match=match(root / "test", "does not exist", "<class>")):
        load("image_folder", root)


def test_split_without_classes_is_named(root):
    shutil.rmtree(root / "test")
    (root / "test" / ".hidden").mkdir(parents=True)
    with pytest.raises(DatasetError, match=match(root / "test", "holds no class folder")):
        load("image_folder", root)


def test_empty_class_folder_is_named(root):
    for file in (root / "test" / "dog").iterdir():
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(DatasetError, match=match(root / "test" / "dog", "holds no image that can be read", "add")):
        load("image_folder", root)


def test_classes_that_differ_are_named(root):
    (root / "test" / "dog").rename(root / "test" / "Dog")
    with pytest.raises(DatasetError, match=match(root, "differ", "['Dog', 'dog']", "same class folders")):
        load("image_folder", root)


def test_cache_that_cannot_be_written_is_named(root, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match=match("Cannot write the image cache", tmp_path / "cache", "XDG_CACHE_HOME")):
        load("image_folder", root)


def test_folder_that_cannot_be_listed_is_named(root, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("course_lib.datasets.image_tree.os.scandir", refuse)
    with pytest.raises(DatasetError, match=match("Cannot read", root / "train", "Permission denied", "permissions")):
        load("image_folder", root)
