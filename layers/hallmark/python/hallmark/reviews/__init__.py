"""People's scores of outputs, and what production tells of them."""
