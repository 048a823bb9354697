"""Describe the data of a run for its record."""

import hashlib
import json
import os
from typing import Any

import numpy as np

from margin_bench.data.split import ImageFiles, Split
from margin_bench.targets import positives


def facts(train: Split, test: Split) -> dict[str, Any]:
    """Return sizes, classes and fingerprints of the split that is trained on and of the one that is scored.

    Returns:
        `num_train`, `num_test`, `class_names`, `labels_per_sample` of the training split, and `fingerprints` of both.
    """
    return {
        "num_train": len(train),
        "num_test": len(test),
        "class_names": list(train.class_names),
        "labels_per_sample": round(float(positives(train.targets).sum() / len(train)), 4),
        "fingerprints": {"train": fingerprint(train), "test": fingerprint(test)},
    }


def fingerprint(split: Split) -> str:
    """Return the SHA-256, as 64 hexadecimal digits, of a split's targets, class names, boxes and file names.

    File names count from the data set's folder, or from the one that all have in common, so that the fingerprint is the
    same wherever the data set lies. The content of image files is not read; images in memory count by their pixels.
    """
    digest = hashlib.sha256(json.dumps([split.targets.shape, split.class_names]).encode())
    digest.update(np.ascontiguousarray(split.targets).data)
    if split.boxes is not None:
        digest.update(np.ascontiguousarray(split.boxes).data)
    if isinstance(split.images, np.ndarray):
        digest.update(np.ascontiguousarray(split.images).data)
    elif isinstance(split.images, ImageFiles):
        digest.update(b"\0".join(split.images.names.tolist()))
    else:
        folder = os.path.commonpath([path.parent for path in split.images])
        digest.update(b"\0".join(os.fsencode(path.relative_to(folder)) for path in split.images))
    return digest.hexdigest()
