"""The exchange of a webhook with `exchange: review`: one POST of a dry-run review to the webhook's own path."""

import uuid

from egressprobe.apiserver.admission_review import ReviewAnswer, review_failure, review_request
from egressprobe.apiserver.log_messages import webhook_url
from egressprobe.golang.release import GoRelease
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.target import Target
from egressprobe.probe.transport.exchange import Exchanged
from egressprobe.probe.transport.http.fetch import fetch
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, Budget
from egressprobe.probe.transport.tls import Channel


async def review(channel: Channel, target: Target, budget: Budget, release: GoRelease) -> Exchanged:
    """Send the review as kube-apiserver would and judge the answer. Failures are data."""
    uid = str(uuid.uuid4())
    url = f"{webhook_url(target)}?timeout={target.timeout_seconds}s"
    payload = review_request(target, uid)
    response, failure, ms, *_ = await fetch(channel, url, budget, HTTP_LIMIT, release, payload=payload)
    if response is None:
        return Exchanged(ms, None, failure)
    if response.location:
        # kube-apiserver follows 307 and 308 with the review, to any host.
        message = f"{target.host} redirects the review ({response.status}), which the probe does not follow"
        return Exchanged(ms, response.status, Failure(Phase.HTTP, Code.PROBE_LIMITATION, message))
    answer = ReviewAnswer(response.status, response.content_type, response.body)
    return Exchanged(ms, response.status, review_failure(target, uid, answer))
