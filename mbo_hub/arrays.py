"""Array types that carry their shape, e.g. ``Float32[np.ndarray, "n d"]``.

Type checkers always see jaxtyping's. At run time they are jaxtyping's where jaxtyping is already
loaded, as the test suite does in order to check every shape; elsewhere they are empty names, since
importing jaxtyping costs a third of what loading and scoring a task costs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

__all__ = ["Bool", "Float", "Float32", "Float64", "Int", "Int8", "Int64", "Num"]

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float32, Float64, Int, Int8, Int64, Num
else:

    class _Unchecked:
        def __class_getitem__(cls, item: object) -> Any:
            return Any

    Bool = Float = Float32 = Float64 = Int = Int8 = Int64 = Num = _Unchecked
