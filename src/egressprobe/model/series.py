"""The names of the metric series, as the probe publishes them and as an alarm's contributors come back with them."""

ALL_TARGETS = "all targets"  # the one series of a plan with too many targets
# Values of the dimensions Impact and Code beside those of model.target.Impact and of the catalogue.
KUBELET, DEGRADED, SEVERAL, UNCOUNTED = "kubelet", "degraded", "several", "uncounted"
_UNSET = "unset"  # CloudWatch refuses empty dimension values
_MAX_DIMENSION = 1024


def dimension_value(value: str | None) -> str:
    """A value that CloudWatch accepts: printable ASCII, at most 1,024 characters, not blank.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in value or "")
    return text.strip()[:_MAX_DIMENSION] or _UNSET
