"""The RPC service in front of the director: authenticates, validates, admits, streams, maps errors to statuses."""
