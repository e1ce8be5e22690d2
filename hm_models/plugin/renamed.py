"""What the tested harnesses have in different places, in one.

Harness: 0.4.13 and 0.5.0.dev1; nothing of either is changed.
Unnecessary: once 0.4 is no longer served.
"""

from __future__ import annotations

try:
    from lm_eval.config.templates import apply_template  # 0.5
except ImportError:
    from lm_eval.utils import apply_template  # 0.4

__all__ = ["apply_template"]
