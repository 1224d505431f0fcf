"""Reports of readiness as the tests need them."""
