"""The handwritten digits that ship with scikit-learn, split once and for all.

The images are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and
C. Kaynak, 1998), as `sklearn.datasets.load_digits` returns them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warmer.errors import ConfigurationError

CLASSES = 10
SIDE = 8  # pixels
PIXEL_MAXIMUM = 16.0
TEST_FRACTION = 0.25
SPLIT_SEED = 0  # never the training seed: every model is measured on the same images

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Images float32 (count, 8, 8) of values 0..16, and labels int64 (count,) of values 0..9."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def load_split() -> Split:
    """Load the digits and split them: a quarter for the test, each class in proportion.

    The split depends on nothing but scikit-learn's data. Raises ConfigurationError without
    scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "scikit-learn", None, "scikit-learn installed; run `make train`"
        ) from error
    digits = load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        digits.images.astype(np.float32),
        digits.target.astype(np.int64),
        test_size=TEST_FRACTION,
        random_state=SPLIT_SEED,
        stratify=digits.target,
    )
    return Split(train_images, train_labels, test_images, test_labels)


def one_of_each(images: Images, labels: Labels) -> Images:
    """The first image of every class, so that row i shows the digit i: float32 (10, 8, 8).

    Raises ConfigurationError where a class has no image.
    """
    rows = []
    for digit in range(CLASSES):
        found = np.flatnonzero(labels == digit)
        if not found.size:
            raise ConfigurationError("labels", digit, "at least one image of every digit 0..9")
        rows.append(images[found[0]])
    return np.stack(rows).astype(np.float32)
