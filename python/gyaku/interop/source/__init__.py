"""A model as one file of source code, C99 or NumPy."""
