"""The glossary of tensor types: what a signature means by images, labels, logits.

The names of the dimensions must agree within one call; the tests check every call.
"""

from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
Labels = Int[Tensor, "batch"]
Logits = Float[Tensor, "batch classes"]
