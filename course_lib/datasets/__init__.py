"""Images to train on, as uint8 tensors: `load(name)` gives an `ImageData` of two `Split`s."""

from pathlib import Path

from course_lib.datasets.embedded import load_embedded
from course_lib.datasets.errors import DatasetError
from course_lib.datasets.images import ImageData, Split
from course_lib.whole_numbers import whole_number

__all__ = ["DATASETS", "DatasetError", "ImageData", "Split", "load"]

DATASETS = ("fashion_mnist", "cifar10", "image_folder", "voc_crops")
RESIZED = ("image_folder", "voc_crops")
VOC_OPTIONS = ("difficult", "truncated", "skip_faulty")


def load(
    name: str,
    root: str | Path | None = None,
    *,
    download: bool = False,
    image_size: tuple[int, int] | None = None,
    **options: bool,
) -> ImageData:
    """Load a data set for classification.

    Args:
        name: "fashion_mnist", without `root`: the embedded 10,000 training and 2,000 test images, (1, 28, 28);
            with `root`: all 60,000 and 10,000, from the IDX files in `root`/FashionMNIST/raw or `root`.
            "cifar10": 50,000 and 10,000 images, (3, 32, 32), from `root`/cifar-10-batches-py.
            "image_folder": the RGB images in `root`/train/<class>/ and `root`/test/<class>/ (PNG, JPEG, WebP, BMP, GIF
            and TIFF; what is transparent is laid on white). Images left out are counted in one warning.
            "voc_crops": the objects of PASCAL VOC 2007 and 2012, cut out of the photographs, from `root`, which is or
            holds VOCdevkit: both years' trainval lists to train, VOC2007's test list to test.
        root: folder of the files; a leading ~ is the home folder.
        download: fetch the files of fashion_mnist or cifar10 into `root` where they are missing or damaged.
        image_size: (height, width) to which image_folder and voc_crops resize. image_folder needs it where its images
            differ in size; voc_crops takes 96x96 without it.
        options: of voc_crops alone, as `course_lib.datasets.voc_crops.VocOptions` documents them: `difficult`,
            `truncated`, `skip_faulty`.

    Returns:
        `ImageData` with uint8 images (N, C, H, W), int64 labels (N,), class names, and the training images' channel
        mean and standard deviation.

    Raises:
        DatasetError: an unknown name, an argument that does not go with it, or files that cannot be had. The message
            names the path and the remedy.
    """
    _check_arguments(name, root, download)
    size = _checked_size(name, image_size)
    _check_options(name, options)
    if root is None:
        return load_embedded()
    folder = Path(root).expanduser()
    # Imported when needed: torchvision takes longer to import than the embedded images take to load.
    if name == "fashion_mnist":
        from course_lib.datasets.fashion_mnist import load_fashion_mnist

        return load_fashion_mnist(folder, download)
    if name == "cifar10":
        from course_lib.datasets.cifar10 import load_cifar10

        return load_cifar10(folder, download)
    if name == "voc_crops":
        from course_lib.datasets.voc_crops import VocOptions, load_voc_crops

        return load_voc_crops(folder, size, VocOptions(**options))
    from course_lib.datasets.image_folder import load_image_folder

    return load_image_folder(folder, size)


def _check_arguments(name: str, root: str | Path | None, download: bool) -> None:
    if name not in DATASETS:
        raise DatasetError(f"Unknown data set {name!r}; choose one of {', '.join(DATASETS)}.")
    if root is None and (name != "fashion_mnist" or download):
        raise DatasetError(f"{name} needs root=, the folder that holds its files or is to receive them.")
    if download and name in RESIZED:
        raise DatasetError(f"{name} cannot be downloaded; leave download out and put the images into root.")


def _checked_size(name: str, image_size: tuple[int, int] | None) -> tuple[int, int] | None:
    """The size as two ints, whichever whole numbers it was given in."""
    if image_size is None:
        return None
    if name not in RESIZED:
        raise DatasetError(f"{name} has one image size; leave image_size out, it is for {' and '.join(RESIZED)}.")
    sides = [whole_number(side) for side in image_size] if isinstance(image_size, tuple) else []
    if len(sides) != 2 or not all(side is not None and side > 0 for side in sides):
        raise DatasetError(f"image_size is {image_size!r}; give (height, width), two whole numbers above zero.")
    return sides[0], sides[1]


def _check_options(name: str, options: dict[str, bool]) -> None:
    for option, value in options.items():
        if name != "voc_crops" or option not in VOC_OPTIONS:
            raise DatasetError(f"{name} has no option {option!r}; {', '.join(VOC_OPTIONS)} are those of voc_crops.")
        if not isinstance(value, bool):
            raise DatasetError(f"{option} is {value!r}; it is True or False.")
