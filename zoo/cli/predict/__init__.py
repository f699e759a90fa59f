"""What a trained model makes of an input: a module for each kind of answer."""
