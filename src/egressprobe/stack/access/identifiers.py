"""How AWS writes the IDs of accounts and organizations.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html and API_Organization.html (Id)
"""

import re

ACCOUNT_ID = re.compile(r"[0-9]{12}")
ORGANIZATION_ID = re.compile(r"o-[a-z0-9]{10,32}")
