//! What name servers say of the API, and what they should.

use std::net::Ipv4Addr;

use crate::health::{Delegation, DnsAnswer, DnsFailure, load_balancer_address};
use crate::model::{DnsRecord, RecordAddress, RecordValue, Resource};

use super::look::{Looker, words};

impl Looker<'_> {
    /// What name servers say, and what they should.
    pub(super) async fn ask_dns(&self) -> Option<DnsAnswer> {
        let name = self.snapshot.cluster.api_name()?;
        let resolver = self.api.resolver(&name)?;
        let (addresses, expected) = tokio::join!(self.api.addresses(&name), self.expected_addresses());
        let agree = |addresses: &[Ipv4Addr], expected: &[Ipv4Addr]| addresses.iter().any(|address| expected.contains(address));
        let right = match (&addresses, &expected) {
            (Ok(addresses), Ok(expected)) => agree(addresses, expected),
            (Err(DnsFailure::NoAnswer(_)), _) | (_, Err(_)) => true,
            (Err(DnsFailure::NoSuchName(_) | DnsFailure::NotServed(_)), Ok(_)) => false,
        };
        let delegation = match &self.zone {
            Some((zone, id)) if !right => {
                let served_by = async {
                    match &self.served_by {
                        Some(known) => known.clone(),
                        None => self.environment.aws.name_servers(id).await.map_err(words),
                    }
                };
                let (answered, served_by) = tokio::join!(self.api.name_servers(zone), served_by);
                Some(Delegation { zone: zone.clone(), answered, served_by })
            }
            _ => None,
        };
        Some(DnsAnswer { resolver, addresses, expected, delegation })
    }

    pub(super) async fn ask_dns_again(&mut self) {
        let answer = self.ask_dns().await;
        self.take_dns(answer);
    }

    pub(super) fn take_dns(&mut self, answer: Option<DnsAnswer>) {
        if let Some(Delegation { served_by, .. }) = answer.as_ref().and_then(|answer| answer.delegation.as_ref()) {
            self.served_by = Some(served_by.clone());
        }
        self.snapshot.dns = answer;
    }

    async fn expected_addresses(&self) -> Result<Vec<Ipv4Addr>, DnsFailure> {
        let world = &self.snapshot.world;
        let record = world.resources.values().find_map(|observed| match &observed.resource {
            Resource::DnsRecord(DnsRecord { value, .. }) => Some(value),
            _ => None,
        });
        match record {
            Some(RecordValue::Addresses { addresses, .. }) => {
                let outputs = world.outputs();
                Ok(addresses
                    .iter()
                    .filter_map(|address| match address {
                        RecordAddress::Fixed(address) => Some(*address),
                        RecordAddress::Elastic(elastic) => outputs.get(&elastic.target()?)?.public_address,
                    })
                    .collect())
            }
            Some(RecordValue::Alias(_)) => match load_balancer_address(world) {
                Some(host) => self.api.addresses(&host).await,
                None => Err(DnsFailure::NoAnswer("the load balancer does not exist".to_owned())),
            },
            Some(RecordValue::Other(_)) | None => Err(DnsFailure::NoAnswer("the record is not as specified".to_owned())),
        }
    }
}
