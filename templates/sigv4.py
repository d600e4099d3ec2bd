"""Signs one request (AWS Signature Version 4), for machines whose curl cannot.

Arguments: SERVICE REGION METHOD URL CONTENT-TYPE BODY. Standard input: access key, secret key and session token, a line each.
Prints header options in the syntax of curl's configuration files. A query must be encoded and sorted already; paths need no encoding.
"""
import hashlib
import hmac
import sys
import time
import urllib.parse


def main():
    service, region, method, url, content_type, body = sys.argv[1:7]
    key, secret, token = sys.stdin.read().splitlines()[:3]
    parts = urllib.parse.urlsplit(url)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(body.encode()).hexdigest()
    headers = {"host": parts.netloc, "x-amz-date": now, "x-amz-security-token": token}
    if service == "s3":
        headers["x-amz-content-sha256"] = payload
    if content_type:
        headers["content-type"] = content_type
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}\n" for name in sorted(headers)]
    request = "\n".join([method, parts.path or "/", parts.query, "".join(lines), names, payload])
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    derived = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    signature = hmac.digest(derived, text.encode(), "sha256").hex()
    del headers["host"]
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    for name, value in headers.items():
        print(f'header = "{name}: {value}"')


main()
