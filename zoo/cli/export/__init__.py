"""A trained model for others: graphs, weights, a card."""
