"""Whose metrics a query reads.

In a monitoring account of CloudWatch cross-account observability a query without an account reads the metrics of all
linked accounts, so that two clusters of one name would be one row. Conditions, which AWS documents for monitoring
accounts only:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-examples.html
"""

from typing import NamedTuple

NAMESPACE = "EgressProbe"  # publish/emf.py


def select(function: str, schema: str, condition: str = "") -> str:
    """The beginning of a Metrics Insights query. function: as MAX(EgressDown); schema: the exact dimensions."""
    where = f" WHERE {condition}" if condition else ""
    return f'SELECT {function} FROM SCHEMA("{NAMESPACE}", {schema}){where}'  # noqa: S608 (no SQL)


class ClusterScope(NamedTuple):
    """The metrics of one cluster.

    account: the linked account that has them; empty: the account that has the dashboard. monitoring: whether that one
    is a monitoring account.
    """

    cluster: str
    account: str = ""
    monitoring: bool = False

    def search(self, metric: str, statistic: str, period: int) -> str:
        """A search for the metric by subnet, as metric math; period: seconds."""
        # The space at its end: two quotation marks in a row could be read as one that is escaped.
        account = f" :aws.AccountId = {self.account or "'LOCAL'"} " if self.monitoring else ""
        what = f'{{{NAMESPACE},ClusterName,SubnetId}} ClusterName="{self.cluster}" MetricName="{metric}"{account}'
        return f"SEARCH('{what}', '{statistic}', {period})"

    def query(self, function: str, schema: str, condition: str = "") -> str:
        """A Metrics Insights query of one series, as of `select`."""
        account = f"'{self.account}'" if self.account else "CURRENT_ACCOUNT_ID()"
        conditions = [f"ClusterName = '{self.cluster}'"]
        conditions += [f"AWS.AccountId = {account}"] if self.monitoring else []
        conditions += [condition] if condition else []
        return select(function, schema, " AND ".join(conditions))

    def metric(self, name: str, properties: dict[str, object]) -> list[object]:
        """A metric of the cluster as a whole, for a widget."""
        account = {"accountId": self.account} if self.account else {}
        return [NAMESPACE, name, "ClusterName", self.cluster, properties | account]
