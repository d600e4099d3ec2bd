//! Commands that are killed, or that AWS fails, at every call: whatever happens, the same command converges.
//!
//! `make test` takes a sample, `make soak` everything. What is tried depends on these variables only:
//!
//! * `KCLUST_SOAK_SEED`: a number; which points the samples are, and what random faults do.
//! * `KCLUST_SOAK_ONLY`: words that the name of a point must hold, to repeat one: `minimal create kill after 17`.

mod faults;
mod kills;
mod refusals;
mod stage;
mod surroundings;
mod tally;

/// The examples that are put to the test.
const MINIMAL: stage::Example = stage::Example {
    name: "minimal",
    cluster: "dev.k8s.local",
    edits: &[
        ("spec:", "spec:\n  kubernetesVersion: 1.36.3\n  tags: {team: ml}"),
        ("    zones: [us-east-1a]", "    zones: [us-east-1a, us-east-1b]"),
        ("  nodeGroups:", "  api: {allowedCIDRs: [10.0.0.0/8]}\n  backups: {interval: 30m}\n  nodeGroups:"),
        ("maxSize: 2", "maxSize: 3"),
        (
            "[t3.large]",
            "[t3.large]\n    - name: batch\n      minSize: 0\n      maxSize: 2\n      instanceTypes: [c6i.large, c5.large]",
        ),
    ],
    meddle: |_| {},
};

const HA_PRIVATE: stage::Example = stage::Example {
    name: "ha-private",
    cluster: "prod.example.com",
    edits: &[
        ("kubernetesVersion: 1.36.2", "kubernetesVersion: 1.36.3"),
        ("team: ml-platform", "team: others"),
        ("    cost-center: \"4711\"\n", "    stage: test\n"),
        ("us-east-1c]", "us-east-1c, us-east-1d]"),
        ("nat: perZone ", "nat: single "),
        ("scheme: internal ", "scheme: public "),
        ("203.0.113.0/24]", "198.51.100.0/24]"),
        ("AAAAIHD5yCDcbrladm4uCu4FXhHJrmMsjGG/vgltnsnz2i4g", "AAAAIGJl3UB7cVMCkPYGd7YvzvjKSbVvWWfSGfYH6TTlcFSu"),
        ("etcdVolume: {sizeGiB: 20,", "etcdVolume: {sizeGiB: 30,"),
        ("minSize: 3", "minSize: 4"),
        (
            "  addons:",
            "    - name: batch\n      minSize: 0\n      maxSize: 2\n      instanceTypes: [c6i.large, c5.large]\n  addons:",
        ),
        ("    - name: metrics-server\n", ""),
    ],
    meddle: stage::meddle_with_an_ha_cluster,
};
