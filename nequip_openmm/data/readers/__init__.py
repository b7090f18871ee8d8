"""One file per family of formats; each turns a file into a `Dataset`."""
