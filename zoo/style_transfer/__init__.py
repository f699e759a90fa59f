"""How would a picture look, painted like another?"""
