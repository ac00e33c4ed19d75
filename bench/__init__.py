"""Benchmarks of gyaku against other frameworks: `python -m bench`; README.md says how."""
