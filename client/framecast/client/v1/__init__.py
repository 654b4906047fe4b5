"""Generated messages and stubs of `framecast.v1` (`make proto`)."""
