"""AWS in small: moto, CloudFormation, IAM, Lambda, alarms and EMF as the tests need them."""
