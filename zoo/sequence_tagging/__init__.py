"""Which tag does each token of a sequence have?"""
