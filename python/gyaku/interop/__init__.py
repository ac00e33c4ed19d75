"""File formats shared with other programs."""
