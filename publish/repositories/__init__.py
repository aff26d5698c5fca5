"""Deposit targets, one a file."""
