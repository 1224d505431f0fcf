# A NAT gateway of its own for the private subnets, and other rules for their return traffic and for the pods.
NAT=$(aws ec2 create-nat-gateway --subnet-id subnet-public --allocation-id eipalloc-0f1e2d3c4b5a69788 \
  --query NatGateway.NatGatewayId --output text)
aws ec2 replace-route --route-table-id rtb-private --destination-cidr-block 0.0.0.0/0 --nat-gateway-id "$NAT"
aws ec2 delete-network-acl-entry --network-acl-id acl-subnet-a --rule-number 110 --ingress
aws ec2 replace-network-acl-entry --network-acl-id acl-subnet-pods --rule-number 90 --ingress --rule-action deny \
  --protocol tcp --port-range From=9443,To=9443 --cidr-block 10.0.2.0/24
