"""The commands of `ctcasr`, one module each: add_arguments(parser), run(arguments) -> status."""
