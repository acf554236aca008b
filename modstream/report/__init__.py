"""Reports as console tables, plots and HTML pages."""
