"""Images: from bytes to pixels, their corruptions, and letters drawn from fonts."""
