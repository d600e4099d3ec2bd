//! Asks a name server: that of the system, or one that is named.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::UdpSocket;

use super::DnsFailure;

/// For one try; a name server is asked twice.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: u16 = 2;
const PORT: u16 = 53;

/// A name server.
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    pub server: SocketAddr,
}

impl Resolver {
    /// The first that the system asks; `None` where it does not say.
    pub fn of_the_system() -> Option<Self> {
        let text = std::fs::read("/etc/resolv.conf").ok()?;
        let config = resolv_conf::Config::parse(text).ok()?;
        let server = config.nameservers.first().map(IpAddr::from)?;
        Some(Self { server: SocketAddr::new(server, PORT) })
    }

    /// Addresses of a name.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub async fn addresses(&self, name: &str) -> Result<Vec<Ipv4Addr>, DnsFailure> {
        let answer = self.ask(name, TYPE::A).await?;
        let packet = Packet::parse(&answer).map_err(|error| DnsFailure::NoAnswer(error.to_string()))?;
        let mut found: Vec<Ipv4Addr> = packet
            .answers
            .iter()
            .filter_map(|record| match &record.rdata {
                RData::A(address) => Some(Ipv4Addr::from(address.address)),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        if found.is_empty() { Err(DnsFailure::NoSuchName(format!("{name} has no address"))) } else { Ok(found) }
    }

    /// The name servers that a zone is delegated to; none where it is not.
    ///
    /// # Errors
    /// Why that cannot be said, in words.
    pub async fn name_servers(&self, zone: &str) -> Result<Vec<String>, String> {
        let answer = match self.ask(zone, TYPE::NS).await {
            Ok(answer) => answer,
            Err(DnsFailure::NoSuchName(_)) => return Ok(Vec::new()),
            Err(DnsFailure::NoAnswer(reason)) => return Err(reason),
        };
        let packet = Packet::parse(&answer).map_err(|error| error.to_string())?;
        let servers = packet.answers.iter().filter_map(|record| match &record.rdata {
            RData::NS(server) => Some(server.0.to_string()),
            _ => None,
        });
        Ok(servers.collect())
    }

    async fn ask(&self, name: &str, kind: TYPE) -> Result<Vec<u8>, DnsFailure> {
        let lost = DnsFailure::NoAnswer;
        let words = |error: std::io::Error| lost(format!("{} cannot be asked: {error}", self.server));
        let local: IpAddr =
            if self.server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((local, 0)).await.map_err(words)?;
        socket.connect(self.server).await.map_err(words)?;
        for _ in 0..TRIES {
            let id: u16 = rand::random();
            let mut query = Packet::new_query(id);
            query.set_flags(PacketFlag::RECURSION_DESIRED);
            let question = Name::new(name).map_err(|error| lost(format!("{name}: {error}")))?;
            query.questions.push(Question::new(question, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
            let query = query.build_bytes_vec().map_err(|error| lost(error.to_string()))?;
            socket.send(&query).await.map_err(words)?;
            let mut answer = vec![0; 4096];
            let Ok(received) = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await else { continue };
            answer.truncate(received.map_err(words)?);
            let packet = Packet::parse(&answer).map_err(|error| lost(format!("{} answers nonsense: {error}", self.server)))?;
            if packet.id() != id {
                continue;
            }
            return match packet.rcode() {
                RCODE::NoError => Ok(answer),
                RCODE::NameError => Err(DnsFailure::NoSuchName(format!("{name} does not exist"))),
                other => Err(lost(format!("{} answers {other:?} for {name}", self.server))),
            };
        }
        Err(lost(format!("{} does not answer", self.server)))
    }
}
