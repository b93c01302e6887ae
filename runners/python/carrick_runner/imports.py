"""Changing a library at the moment the app imports it, so that an app which does not use it pays nothing."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Callable, Dict, Optional

Change = Callable[[Any], None]


class _Finder:
    def __init__(self) -> None:
        self.changes: Dict[str, Change] = {}

    def find_spec(self, name: str, path: Any = None, target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        change = self.changes.get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if not change or not spec or not spec.loader:
            return None
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


_finder = _Finder()


def after_import(name: str, change: Change) -> None:
    """Calls `change` with the module once it is imported. For modules that nobody has imported yet."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]
    _finder.changes[name] = change
