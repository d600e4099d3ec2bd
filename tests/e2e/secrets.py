"""Whether what machines tell holds secrets."""

import re

from .waiting import check

KEYS = ("pki/ca.key", "pki/etcd/ca.key", "pki/front-proxy-ca.key", "pki/sa.key", "pki/encryption.yaml")
# The credentials of the machine's role, as its own programs read them.
CREDENTIALS = """
. /etc/kclust/node.env; . /usr/local/lib/kclust/aws.sh
metadata "meta-data/iam/security-credentials/$(metadata meta-data/iam/security-credentials/)"
"""


def secrets_of(cluster, instance):
    """Pieces of text that nobody may read in a log."""
    pieces = {"PRIVATE KEY"}
    for key in KEYS:
        lines = [line.strip() for line in cluster.object(key).splitlines() if "-----" not in line]
        pieces.update(word for line in lines for word in re.findall(r"[A-Za-z0-9+/=]{24,}", line))
    pieces.update(re.findall(r"token: [a-z0-9]{6}\.([a-z0-9]{16})", cluster.object("nodes/bootstrap.kubeconfig")))
    credentials = cluster.lab.shell(instance, CREDENTIALS)
    found = re.findall(r'"(?:SecretAccessKey|Token)"\s*:\s*"([^"]+)"', credentials)
    check(len(found) == 2, "the metadata service tells no credentials")
    pieces.update(found)
    check(len(pieces) >= 8, f"only {len(pieces)} secrets are known: the search would prove nothing")
    return pieces


def check_journal(cluster, instance):
    journal = cluster.lab.journal(instance)
    check("== " in journal, f"{instance} has no journal of the boot program")
    told = [piece for piece in secrets_of(cluster, instance) if piece in journal]
    check(not told, f"the journal of {instance} holds {len(told)} secrets")
