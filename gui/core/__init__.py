"""What the window needs and could do without Qt: numbers, files, geometry."""
