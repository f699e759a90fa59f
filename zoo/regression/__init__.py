"""How much, how many: which number belongs to the features?"""
