"""Sources: how records come in from archives."""
