"""Reading files: images, plates, archives, and the metadata in them."""
