"""What is there in a picture, and where?"""
