"""The table of people and its keys in an account of moto's, as the stack makes them."""

from __future__ import annotations

from typing import Any

import boto3

from hallmark.aws.person_table import PersonTable
from tests.fakes.moto_transactions import copy_tables_once

TABLE = "persons"


def create_persons(region: str) -> dict[str, str]:
    """Create the table and its keys; return the variables of the functions that use them."""
    copy_tables_once()
    kms, dynamodb = boto3.client("kms", region_name=region), boto3.client("dynamodb", region_name=region)
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    index = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    return {
        "PERSON_TABLE_NAME": TABLE,
        "PERSON_INDEX_KEY_ID": index,
        "PERSON_SEALING_KEY_ID": kms.create_key()["KeyMetadata"]["KeyId"],
    }


def person_table(variables: dict[str, str], region: str, **options: Any) -> PersonTable:
    """Return the adapter over what ``create_persons`` made."""
    return PersonTable(
        variables["PERSON_TABLE_NAME"],
        variables["PERSON_INDEX_KEY_ID"],
        variables["PERSON_SEALING_KEY_ID"],
        boto3.client("dynamodb", region_name=region),
        lambda: boto3.client("kms", region_name=region),
        **options,
    )
