"""Changes of which route table and which network ACL a subnet has, and of the tables and ACLs themselves.

`id` of what is created: a name for it in the snapshot, since AWS assigns the real one. An association's own id is not
needed here: in a command it is written as the subnet's id after `rtbassoc-` or `aclassoc-`.
"""

from egressprobe.audit.changes.change import NEW_ACL, NEW_TABLE, Change


class CreateRouteTable(Change, frozen=True):
    vpc: str
    id: str = NEW_TABLE

    @property
    def command(self) -> str:
        return f"aws ec2 create-route-table --vpc-id {self.vpc}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def words(self) -> str:
        return f"create the route table {self.id}"


class DeleteRouteTable(Change, frozen=True):
    table: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-route-table --route-table-id {self.table}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"delete the route table {self.table}"


class AssociateTable(Change, frozen=True):
    """member: a subnet, or a gateway whose inbound traffic the table routes. replace: it has a table already.

    association: id of the present association, where it is known.
    """

    table: str
    member: str
    replace: bool = False
    association: str = ""

    @property
    def command(self) -> str:
        if self.replace:
            return (
                "aws ec2 replace-route-table-association "
                f"--association-id {self.association or f'rtbassoc-{self.member}'} --route-table-id {self.table}"
            )
        option = "--subnet-id" if self.member.startswith("subnet-") else "--gateway-id"
        return f"aws ec2 associate-route-table --route-table-id {self.table} {option} {self.member}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table, self.member})

    @property
    def words(self) -> str:
        return f"associate {self.table} with {self.member}"


class DisassociateTable(Change, frozen=True):
    """A subnet uses the main table afterwards. association: its id, where it is known."""

    table: str
    member: str
    association: str = ""

    @property
    def command(self) -> str:
        return f"aws ec2 disassociate-route-table --association-id {self.association or f'rtbassoc-{self.member}'}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table, self.member})

    @property
    def words(self) -> str:
        return f"end the association of {self.table} with {self.member}"


class SetMainTable(Change, frozen=True):
    """Also changes the table of every subnet without an association of its own."""

    table: str

    @property
    def command(self) -> str:
        return f"aws ec2 replace-route-table-association --association-id rtbassoc-main --route-table-id {self.table}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"make {self.table} the main route table"


class DisablePropagation(Change, frozen=True):
    """Takes the routes of a VPN gateway away that were propagated to a table."""

    table: str
    gateway: str

    @property
    def command(self) -> str:
        return f"aws ec2 disable-vgw-route-propagation --route-table-id {self.table} --gateway-id {self.gateway}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.table})

    @property
    def words(self) -> str:
        return f"end the propagation of routes of {self.gateway} to {self.table}"


class CreateAcl(Change, frozen=True):
    """A new network ACL denies everything."""

    vpc: str
    id: str = NEW_ACL

    @property
    def command(self) -> str:
        return f"aws ec2 create-network-acl --vpc-id {self.vpc}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def words(self) -> str:
        return f"create the network ACL {self.id}"


class DeleteAcl(Change, frozen=True):
    acl: str

    @property
    def command(self) -> str:
        return f"aws ec2 delete-network-acl --network-acl-id {self.acl}"

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.acl})

    @property
    def words(self) -> str:
        return f"delete the network ACL {self.acl}"


class DeleteAclRule(Change, frozen=True):
    acl: str
    number: int
    egress: bool

    @property
    def command(self) -> str:
        return (
            f"aws ec2 delete-network-acl-entry --network-acl-id {self.acl} --rule-number {self.number} "
            f"--{'egress' if self.egress else 'ingress'}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.acl})

    @property
    def words(self) -> str:
        return f"delete rule {self.number} ({'egress' if self.egress else 'ingress'}) of {self.acl}"


class AssociateAcl(Change, frozen=True):
    """Every subnet has exactly one network ACL. acl: empty for the VPC's default one."""

    subnet: str
    acl: str = ""

    @property
    def command(self) -> str:
        return (
            f"aws ec2 replace-network-acl-association --association-id aclassoc-{self.subnet} "
            f"--network-acl-id {self.acl or 'acl-DEFAULT'}"
        )

    @property
    def touches(self) -> frozenset[str]:
        return frozenset({self.subnet, *([self.acl] if self.acl else [])})

    @property
    def words(self) -> str:
        return f"give {self.subnet} {self.acl or 'the default network ACL'}"
