"""Which of the classes does a text belong to?"""
