"""The place where Cog's own package has it too."""

from .types import CancelationException

__all__ = ["CancelationException"]
