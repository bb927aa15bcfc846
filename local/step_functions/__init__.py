"""Executions of state machines as the Amazon States Language and the Step Functions developer guide describe them."""
