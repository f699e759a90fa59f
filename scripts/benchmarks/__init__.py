"""How fast the zoo is, measured against what people would use instead."""
