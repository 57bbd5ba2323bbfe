"""Record the requests to a webhook and their replies."""
