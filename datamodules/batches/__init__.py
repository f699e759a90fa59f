"""How rows become batches: tensors in memory, samplers, buckets, streams, stratified divisions."""
