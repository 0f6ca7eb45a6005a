"""`ctcasr prepare NAME`: public corpora as manifests."""
