"""Keyrings that change while everything runs: what is sealed with which key, sealing it anew, and who did what when."""
