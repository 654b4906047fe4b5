"""The subcommands of `framecast bench`: options in, records out."""
