//! How a VPC's range is divided among the zones.

use ipnet::Ipv4Net;

use super::cluster::{SubnetRole, Topology};
use super::names::Zone;

/// Zones that a range has room for. No region has more than six.
pub const MAX_ZONES: usize = 7;

/// Bits by which a zone's block is longer than the VPC's prefix: the range is cut in eight.
const ZONE_BITS: u8 = 3;
/// Bits by which a utility subnet is longer: the first block is cut in eight.
const UTILITY_BITS: u8 = 6;
/// The smallest subnet that CreateSubnet accepts.
const LONGEST_SUBNET: u8 = 28;

/// The subnets of a managed VPC, in the order of the zones.
///
/// The range is cut in eight blocks. Zone `i` has block `i + 1` for its public or private subnet; in a private topology its utility
/// subnet is the `i`-th eighth of block 0, which a public topology leaves free. So a subnet depends on the place of its zone alone,
/// and appending a zone moves none. kops divides a VPC in the same proportions.
///
/// # Panics
/// When the range is too small or the zones too many: validation refuses such a document.
pub fn carve(cidr: Ipv4Net, zones: &[Zone], topology: Topology) -> Vec<(SubnetRole, Zone, Ipv4Net)> {
    let mut subnets = Vec::new();
    for (index, zone) in (0u32..).zip(zones) {
        match topology {
            Topology::Public => subnets.push((SubnetRole::Public, zone.clone(), part(cidr, ZONE_BITS, index + 1))),
            Topology::Private => {
                subnets.push((SubnetRole::Private, zone.clone(), part(cidr, ZONE_BITS, index + 1)));
                subnets.push((SubnetRole::Utility, zone.clone(), part(cidr, UTILITY_BITS, index)));
            }
        }
    }
    subnets
}

/// The longest prefix of a VPC that [`carve`] can divide: each subnet is at least a /28.
pub(super) fn longest_prefix(topology: Topology) -> u8 {
    match topology {
        Topology::Public => LONGEST_SUBNET - ZONE_BITS,
        Topology::Private => LONGEST_SUBNET - UTILITY_BITS,
    }
}

/// The `index`-th of the 2^`bits` equal parts of `cidr`.
fn part(cidr: Ipv4Net, bits: u8, index: u32) -> Ipv4Net {
    let prefix = cidr.prefix_len() + bits;
    assert!(prefix <= LONGEST_SUBNET && index < 1 << bits, "{cidr} has no room for subnet {index} of /{prefix}");
    let first = u32::from(cidr.network()) + (index << (32 - u32::from(prefix)));
    // The prefix is at most 28, and Ipv4Net::new refuses only prefixes above 32.
    Ipv4Net::new(first.into(), prefix).expect("a prefix of at most 28")
}
