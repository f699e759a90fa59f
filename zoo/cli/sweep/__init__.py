"""Many runs of one recipe: the sweep files of Weights & Biases, here or by its agents."""
