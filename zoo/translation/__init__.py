"""What is a sentence in another language?"""
