"""Other packages' models as ours."""
