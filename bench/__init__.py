"""Benchmarks of gyaku against other frameworks: `python -m bench`; see README.md."""
