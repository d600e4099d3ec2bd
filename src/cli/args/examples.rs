//! What follows the options in `--help`: examples, and what scripts need to know.

pub(super) const ROOT: &str = "\
Examples:
  export KCLUST_STATE=s3://acme-kclust
  kclust create dev.example.com --zones us-east-1a --dry-run
  kclust create dev.example.com --zones us-east-1a
  kclust validate dev.example.com
  kclust kubeconfig dev.example.com
  kclust delete dev.example.com

Exit codes:
    0  done; the cluster is healthy
    1  failed or declined, or the control planes did not answer in time
    2  bad usage or a bad spec, or a confirmation is missing
    3  the cluster is unhealthy
    4  it could not be found out whether the cluster is healthy
    5  locked by another operator, or changed by one since the plan was made
   10  with --dry-run --detailed-exitcode: there is something to change
  130  interrupted

Environment:
  KCLUST_STATE           the same as --state
  AWS_PROFILE, AWS_...   credentials, region and endpoints, as the AWS CLI
                         reads them
  HTTPS_PROXY, NO_PROXY  the way to AWS and to the Kubernetes API, as curl
                         and kubectl read them
  KCLUST_RESOLVER        the same as --resolver of validate
  NO_COLOR               no colors, as with --color never";

pub(super) const CREATE: &str = "\
Examples:
  One control plane and two workers in one zone:
    kclust create dev.example.com --zones us-east-1a

  Three control planes in three zones, on private addresses:
    kclust create prod.example.com --topology private \\
        --zones us-east-1a,us-east-1b,us-east-1c --dns-zone example.com

  From a file, as a pipeline does it:
    kclust create -f prod.yaml --yes";

pub(super) const UPDATE: &str = "\
Examples:
  See what a changed spec would do:
    kclust update -f prod.yaml --dry-run

  Is the cluster what the spec says? 0: yes, 10: no:
    kclust update prod.example.com --dry-run --detailed-exitcode

  Back to an earlier spec, one of `kclust get history prod.example.com`:
    kclust update prod.example.com --from-history 3";

pub(super) const VALIDATE: &str = "\
Examples:
  kclust validate prod.example.com
  kclust validate prod.example.com -o json

  Wait until a new cluster is healthy:
    kclust validate prod.example.com --wait 15m

  One group, of which an instance may be missing:
    kclust validate prod.example.com --group workers --allow-unready 1

  Every change, for a program:
    kclust validate prod.example.com --wait 15m -o ndjson

  From outside, through a bastion:
    HTTPS_PROXY=http://127.0.0.1:3128 kclust validate prod.example.com";

pub(super) const DELETE: &str = "\
Examples:
  See what would go:
    kclust delete dev.example.com --dry-run

  Without a question, and no error when it is gone already:
    kclust delete dev.example.com --yes --ignore-not-found";

pub(super) const BACKUP: &str = "\
Examples:
  kclust backup prod.example.com
  kclust backup prod.example.com -o json --timeout 10m
  kclust get backups prod.example.com";

pub(super) const RESTORE: &str = "\
Examples:
  See what it would do, and what would be lost:
    kclust restore prod.example.com --from latest --dry-run

  Back to one snapshot of `kclust get backups`:
    kclust restore prod.example.com --from 20261126T221500Z-r12345.db.zst

  Exit code 1 after --timeout names the control planes that have not answered;
  the request stays, and the same command waits for them again.";

pub(super) const KUBECONFIG: &str = "\
Examples:
  kclust kubeconfig prod.example.com
  kubectl get nodes

  For a program that cannot run kclust:
    kclust kubeconfig prod.example.com --admin 8h --out ci.kubeconfig

  Beside a context of the same name that another program wrote:
    kclust kubeconfig prod.example.com --context prod-kclust

  Take the context out again:
    kclust kubeconfig --remove prod.example.com

Environment:
  KUBECONFIG             the files of kubectl
  AWS_PROFILE            is written into the context, so that kubectl gets its
                         credentials with the same profile";

pub(super) const CREDENTIAL: &str = "\
Examples:
  kclust credential --cluster prod.example.com --state s3://acme-kclust

Environment:
  KUBERNETES_EXEC_INFO   what kubectl says about the cluster
  XDG_CACHE_HOME         where credentials are kept, below kclust/credentials";

pub(super) const RENDER: &str = "\
Examples:
  kclust render -f prod.yaml --out rendered/";

pub(super) const IAM_POLICY: &str = "\
Examples:
  To read, or as an inline policy:
    kclust iam-policy -f prod.yaml

  As managed policies:
    kclust iam-policy -f prod.yaml --out policies/
    aws iam create-policy --policy-name kclust-prod-1 \\
        --policy-document file://policies/prod.example.com-1.json";

pub(super) const GET: &str = "\
Examples:
  kclust get clusters
  kclust get spec prod.example.com > prod.yaml
  kclust get history prod.example.com
  kclust get instances prod.example.com --watch
  kclust get topology prod.example.com --out prod.svg";

pub(super) const GET_GROUPS: &str = "\
Examples:
  kclust get groups prod.example.com

  Groups with instances of an earlier template:
    kclust get groups prod.example.com -o json |
      jq -r '.[] | select(.outdated > 0).name'";

pub(super) const GET_INSTANCES: &str = "\
Examples:
  kclust get instances prod.example.com
  kclust get instances prod.example.com --watch

  After the first, a look makes at most two calls to AWS, and one to S3 for each
  instance that still boots or whose node cannot be asked.";

pub(super) const GET_RESOURCES: &str = "\
Examples:
  kclust get resources prod.example.com

  Id, ARN, address of the console's page, and differences:
    kclust get resources prod.example.com -o json";

pub(super) const GET_TOPOLOGY: &str = "\
Examples:
  kclust get topology prod.example.com --out prod.svg
  kclust get topology prod.example.com --out prod.html
  kclust get topology prod.example.com --out - > prod.svg";

pub(super) const SCHEMA: &str = "\
Examples:
  kclust schema > kclust.schema.json";

pub(super) const COMPLETION: &str = "\
Examples:
  kclust completion bash > ~/.local/share/bash-completion/completions/kclust
  kclust completion zsh > \"${fpath[1]}/_kclust\"
  kclust completion fish > ~/.config/fish/completions/kclust.fish";

pub(super) const MAN: &str = "\
Examples:
  kclust man > kclust.1
  kclust man create > kclust-create.1
  kclust man get spec > kclust-get-spec.1";
