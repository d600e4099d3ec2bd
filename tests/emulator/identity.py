"""How each service refuses credentials that have expired or that AWS does not know.

A region that the account has not enabled does not know its credentials either, and says no more than that.
"""

from .accounts import EXPIRED_KEY, INVALID_KEY
from .calls import Answer, Call

_EXPIRED = "The security token included in the request is expired"
_UNKNOWN = "The security token included in the request is invalid."

# Regions that were opened later are off until an account enables them; here nobody has enabled this one.
NOT_ENABLED = "af-south-1"
_GLOBAL = ("iam", "route53")


def refusal(call: Call) -> Answer | None:
    if call.access_key == EXPIRED_KEY:
        return expired(call)
    if call.access_key == INVALID_KEY:
        return _unknown(call)
    if call.region == NOT_ENABLED and call.service not in _GLOBAL:
        return _unknown(call)
    return None


def expired(call: Call) -> Answer:
    if call.service == "ec2":
        return call.error("RequestExpired", "Request has expired.", 400)
    if call.service == "s3":
        return call.error("ExpiredToken", "The provided token has expired.", 400)
    if call.service == "ssm":
        return call.error("ExpiredTokenException", _EXPIRED, 400)
    return call.error("ExpiredToken", _EXPIRED, 403)


def _unknown(call: Call) -> Answer:
    if call.service == "ec2":
        return call.error("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if call.service == "s3":
        return call.error(
            "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403
        )
    if call.service == "ssm":
        return call.error("UnrecognizedClientException", _UNKNOWN, 400)
    return call.error("InvalidClientTokenId", _UNKNOWN, 403)
