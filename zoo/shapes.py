"""The glossary of tensor types: what a signature means by images, labels, features, points.

The names of the dimensions must agree within one call; the tests check every call.
"""

from jaxtyping import Float, Int
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
Labels = Int[Tensor, "batch"]
Shares = Float[Tensor, "batch classes"]  # of each class in a label, where pictures are mixed
Logits = Float[Tensor, "batch classes"]
Features = Float[Tensor, "batch features"]
Targets = Float[Tensor, "batch"]
Points = Float[Tensor, "*points dimensions"]
Tokens = Int[Tensor, "batch steps"]  # indices into a vocabulary
Continuations = Int[Tensor, "batch added"]  # tokens after others
TokenLogits = Float[Tensor, "batch steps vocab"]  # of the token that comes next
NextLogits = Float[Tensor, "batch vocab"]
Tags = Int[Tensor, "batch steps"]  # of each token; IGNORED where there is none
TagLogits = Float[Tensor, "batch steps tags"]
State = tuple[Tensor, ...]  # what a model of sequences remembers: (layers, batch, ...) each
Lengths = Int[Tensor, "batch"]  # of each row, padding not counted
SourceTokens = Int[Tensor, "batch source_steps"]
AttentionMaps = Float[Tensor, "batch heads steps source_steps"]  # weights; they sum to 1
WordVectors = Float[Tensor, "vocab embed"]  # a row a word
Vectors = Float[Tensor, "batch embed"]
Words = Int[Tensor, "batch"]
Contexts = Int[Tensor, "batch window"]  # words around others; IGNORED where there is none
Negatives = Int[Tensor, "batch window negatives"]  # words that are no contexts
Neighbours = Int[Tensor, "batch _"]  # words near others
Cosines = Float[Tensor, "batch _"]
FeatureMap = Float[Tensor, "batch _ _ _"]  # channels, height and width
FeatureMaps = list[FeatureMap]
Style = Float[Tensor, "1 channels _ _"]  # a picture whose style is wanted, of any size
GramMatrices = Float[Tensor, "batch _ _"]  # of the channels of feature maps
Boxes = Float[Tensor, "batch boxes 4"]  # left, top, right, bottom; fractions of the picture
BoxLabels = Int[Tensor, "batch boxes"]  # IGNORED where a row is no box
Anchors = Float[Tensor, "*anchors 4"]  # boxes
Overlaps = Float[Tensor, "batch boxes anchors"]  # intersection by union
AnchorOutputs = Float[Tensor, "batch anchors outputs"]  # logits, then offsets
AnchorLogits = Float[Tensor, "batch anchors classes"]  # of nothing and of each class
AnchorClasses = Int[Tensor, "batch anchors"]  # 0 for nothing
Offsets = Float[Tensor, "batch anchors 4"]  # of boxes from anchors
Matches = Int[Tensor, "batch anchors"]  # the box of each anchor; -1 for none
Noise = Float[Tensor, "batch latent"]  # of which a generator makes a sample
Samples = Float[Tensor, "batch *sample"]
Scores = Float[Tensor, "batch"]  # logits: how sure a discriminator is that a sample is real

IGNORED = -100  # a target that is none: torch's own mark
