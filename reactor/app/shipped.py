"""Where the policies that come with reactor are."""

from pathlib import Path

import reactor


def shipped_rules() -> Path:
    """The folder of the shipped policies: in the package, or in the checkout."""
    package = Path(reactor.__file__).parent
    installed = package / "_rules"
    return installed if installed.is_dir() else package.parent / "rules"
