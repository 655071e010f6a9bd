"""Which of reactor's modules are loaded."""

import sys
from types import ModuleType


def modules_of_reactor() -> list[ModuleType]:
    """All that a history may have to do with."""
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("reactor.")]
