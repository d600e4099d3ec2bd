//! Certificate authorities, certificates, keys and kubeconfigs. Pure: takes a clock and a source of randomness.
