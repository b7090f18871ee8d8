"""Reserved for the i-PI driver; not part of this release yet."""
