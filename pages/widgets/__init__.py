"""Pieces that two pages share."""
