"""What is sealed, and how: keyrings, sealed bytes, and Temporal's payload codec."""
