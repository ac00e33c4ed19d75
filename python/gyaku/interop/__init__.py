"""Files of other programs and formats."""
