"""Graphs of trained networks: ONNX, torch.export, checked against the module."""
