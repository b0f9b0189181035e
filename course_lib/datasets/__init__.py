"""Images to train on, as uint8 tensors: `load(name)` gives an `ImageData` of two `Split`s."""

from pathlib import Path

from course_lib.datasets.embedded import load_embedded
from course_lib.datasets.errors import DatasetError
from course_lib.datasets.images import ImageData, Split

__all__ = ["DATASETS", "DatasetError", "ImageData", "Split", "load"]

DATASETS = ("fashion_mnist", "cifar10", "image_folder")


def load(
    name: str,
    root: str | Path | None = None,
    *,
    download: bool = False,
    image_size: tuple[int, int] | None = None,
) -> ImageData:
    """Load a data set for classification.

    Args:
        name: "fashion_mnist", without `root`: the embedded 10,000 training and 2,000 test images, (1, 28, 28);
            with `root`: all 60,000 and 10,000, from the IDX files in `root`/FashionMNIST/raw or `root`.
            "cifar10": 50,000 and 10,000 images, (3, 32, 32), from `root`/cifar-10-batches-py.
            "image_folder": the RGB images in `root`/train/<class>/ and `root`/test/<class>/ (.png, .jpg, .jpeg).
        root: folder of the files; a leading ~ is the home folder.
        download: fetch the files of fashion_mnist or cifar10 into `root` where they are missing or damaged.
        image_size: (height, width) to which image_folder resizes; needed where its images differ in size.

    Returns:
        `ImageData` with uint8 images (N, C, H, W), int64 labels (N,), class names, and the training images' channel
        mean and standard deviation.

    Raises:
        DatasetError: an unknown name, an argument that does not go with it, or files that cannot be had. The message
            names the path and the remedy.
    """
    _check_arguments(name, root, download, image_size)
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
    from course_lib.datasets.image_folder import load_image_folder

    return load_image_folder(folder, image_size)


def _check_arguments(name: str, root: str | Path | None, download: bool, image_size: tuple[int, int] | None) -> None:
    if name not in DATASETS:
        raise DatasetError(f"Unknown data set {name!r}; choose one of {', '.join(DATASETS)}.")
    if root is None and (name != "fashion_mnist" or download):
        raise DatasetError(f"{name} needs root=, the folder that holds its files or is to receive them.")
    if download and name == "image_folder":
        raise DatasetError("image_folder cannot be downloaded; leave download out and put the images into root.")
    if image_size is None:
        return
    if name != "image_folder":
        raise DatasetError(f"{name} has one image size; leave image_size out, it is for image_folder.")
    is_pair = isinstance(image_size, tuple) and len(image_size) == 2
    if not is_pair or not all(isinstance(side, int) and side > 0 for side in image_size):
        raise DatasetError(f"image_size is {image_size!r}; give (height, width), two whole numbers above zero.")
