"""Go's net package as far as it decides: names asked, answers read, address order, the dialer. Pure.

Each file names the Go source that it follows. x509/ is crypto/x509.
"""
