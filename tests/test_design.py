"""What docs/design.md says of the packages."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
DESIGN = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")


def named_by_yaml() -> set[str]:
    """The modules of losses, data sets and transforms, which join by their files alone."""
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "configs").glob("*/*.yaml")]
    classes = {path.stem for path in (PROJECT / "configs" / "loss").glob("*.yaml")}
    return classes | {module for text in texts for module in re.findall(r"margin_bench\.data\.(\w+)\.", text)}


def test_every_module_has_its_place_in_a_table():
    modules = {path.stem for path in (PROJECT / "margin_bench").glob("*/*.py")} - {"__init__"} - named_by_yaml()
    assert sorted(module for module in modules if f"`{module}`" not in DESIGN) == []


def test_every_package_is_in_the_picture_or_below_it():
    packages = {path.parent.name for path in (PROJECT / "margin_bench").glob("*/__init__.py")}
    assert sorted(package for package in packages if f"\n`{package}/`: " not in DESIGN) == []
