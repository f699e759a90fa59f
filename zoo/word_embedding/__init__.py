"""Which words keep company with which?"""
