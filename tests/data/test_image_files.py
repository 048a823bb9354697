"""Whether files are where they are expected."""

import numpy as np
import pytest

from margin_bench.data.image_files import check_image_files, require
from margin_bench.data.split import ImageFiles
from margin_bench.errors import DataError


def files(root, *names):
    return ImageFiles(root, np.array([name.encode() for name in names]))


def test_what_is_there_is_fine(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    check_image_files(files(tmp_path, "sub/a.jpg", "b.jpg", "b.jpg"))
    require(tmp_path, ["sub", "b.jpg"], "hint")


@pytest.mark.parametrize("name", ["none.jpg", "none/a.jpg", "b.jpg/c.jpg", "sub"])
def test_what_is_no_file_is_missing(tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.jpg").touch()
    with pytest.raises(DataError, match=f"1 of 2 are missing in .*: '{name}'"):
        check_image_files(files(tmp_path, "b.jpg", name))


def test_a_required_file_that_is_missing_is_named(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(DataError, match=r"c is missing.*, or try making it"):
        require(tmp_path, ["a", "c"], "making it")
