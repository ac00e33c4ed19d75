"""PyTorch's modules and files of weights."""
