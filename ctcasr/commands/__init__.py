"""The commands of `ctcasr`, one file each."""
