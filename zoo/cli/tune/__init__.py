"""What a recipe should be trained with: the learning rate, the batch size."""
