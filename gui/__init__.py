"""Reserved for the desktop window; not part of this release yet."""
