"""Binary formats of corpora: idx, CIFAR batches, RecordIO."""
