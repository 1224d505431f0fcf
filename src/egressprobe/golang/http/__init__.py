"""Go's net/http, net/url and mime as far as they decide what a response means, with their error texts. Pure.

Each file names the Go source that it follows.

Public: url.*, quote.*, response.*.
"""
