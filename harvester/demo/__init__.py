"""The generated lab of the demo."""
