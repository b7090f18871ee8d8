"""What runs tell: averages with errors, plots, reports."""
