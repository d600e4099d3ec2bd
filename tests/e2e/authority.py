"""An administrator's certificate, signed with the cluster's own authority."""

from .lab import run


def admin_certificate(directory, authority, authority_key):
    """Writes the certificate and its key into the directory, and the authority's certificate as ca.crt."""
    (directory / "ca.crt").write_text(authority)
    (directory / "ca.key").write_text(authority_key)
    key, request, certificate = directory / "admin.key", directory / "admin.csr", directory / "admin.crt"
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
        "-subj", "/O=system:masters/CN=e2e")  # fmt: skip
    run("openssl", "x509", "-req", "-in", request, "-CA", directory / "ca.crt", "-CAkey", directory / "ca.key", "-CAcreateserial",
        "-days", "2", "-out", certificate)  # fmt: skip
    (directory / "ca.key").unlink()
    return certificate, key
