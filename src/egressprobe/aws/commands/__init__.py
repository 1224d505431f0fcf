"""Commands of the AWS CLI, read and never run: options and shorthand syntax become the parameters of the API."""
