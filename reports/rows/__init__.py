"""Stored rows and their artifacts, checked and made small: what everything else here reads."""
