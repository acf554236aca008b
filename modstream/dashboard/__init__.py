"""The dashboard of a running stream: its figures, and the pages that show them."""
