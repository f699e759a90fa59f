"""Which of the classes does a picture show?"""
