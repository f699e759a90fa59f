"""Which token comes next?"""
