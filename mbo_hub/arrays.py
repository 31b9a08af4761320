"""Array types that carry their shape, e.g. ``Float32[np.ndarray, "n d"]``.

Type checkers see the array type in front of the shape, ``np.ndarray``, whatever is installed. At
run time they are jaxtyping's where jaxtyping is already loaded, as the test suite does in order to
check every shape; elsewhere they are empty names, since importing jaxtyping costs a third of what
loading and scoring a task costs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

__all__ = ["Bool", "Float", "Float32", "Float64", "Int", "Int8", "Int64", "Num"]

if TYPE_CHECKING:  # as jaxtyping itself does; a user's checker need not find jaxtyping
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Float32
    from typing import Annotated as Float64
    from typing import Annotated as Int
    from typing import Annotated as Int8
    from typing import Annotated as Int64
    from typing import Annotated as Num
elif "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float32, Float64, Int, Int8, Int64, Num
else:

    class _Unchecked:
        def __class_getitem__(cls, item: object) -> Any:
            return Any

    Bool = Float = Float32 = Float64 = Int = Int8 = Int64 = Num = _Unchecked
