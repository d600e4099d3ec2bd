//! Asks name servers: those of the system, or one that is named.

use std::fmt;
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

/// Name servers, the next of which is asked where one does not answer.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
}

impl From<SocketAddr> for Resolver {
    fn from(server: SocketAddr) -> Self {
        Self { servers: vec![server] }
    }
}

/// `10.0.0.2:53 or 10.0.0.3:53`
impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        f.write_str(&servers.join(" or "))
    }
}

impl Resolver {
    /// Those that the system asks; `None` where it does not say.
    pub fn of_the_system() -> Option<Self> {
        let text = std::fs::read("/etc/resolv.conf").ok()?;
        let config = resolv_conf::Config::parse(text).ok()?;
        let servers: Vec<SocketAddr> =
            config.nameservers.iter().map(|server| SocketAddr::new(IpAddr::from(server), PORT)).collect();
        (!servers.is_empty()).then_some(Self { servers })
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
            Err(DnsFailure::NotServed(reason) | DnsFailure::NoAnswer(reason)) => return Err(reason),
        };
        let packet = Packet::parse(&answer).map_err(|error| error.to_string())?;
        let servers = packet.answers.iter().filter_map(|record| match &record.rdata {
            RData::NS(server) => Some(server.0.to_string()),
            _ => None,
        });
        Ok(servers.collect())
    }

    async fn ask(&self, name: &str, kind: TYPE) -> Result<Vec<u8>, DnsFailure> {
        let (mut not_served, mut silent) = (Vec::new(), Vec::new());
        for server in &self.servers {
            match ask(*server, name, kind).await {
                Err(DnsFailure::NotServed(reason)) => not_served.push(reason),
                Err(DnsFailure::NoAnswer(reason)) => silent.push(reason),
                answer => return answer,
            }
        }
        Err(match not_served.is_empty() {
            true => DnsFailure::NoAnswer(silent.join("; ")),
            false => DnsFailure::NotServed(not_served.join("; ")),
        })
    }
}

async fn ask(server: SocketAddr, name: &str, kind: TYPE) -> Result<Vec<u8>, DnsFailure> {
    let lost = DnsFailure::NoAnswer;
    let words = |error: std::io::Error| lost(format!("{server} cannot be asked: {error}"));
    let local: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).await.map_err(words)?;
    socket.connect(server).await.map_err(words)?;
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
        let packet = Packet::parse(&answer).map_err(|error| lost(format!("{server} answers nonsense: {error}")))?;
        if packet.id() != id {
            continue;
        }
        return match packet.rcode() {
            RCODE::NoError => Ok(answer),
            RCODE::NameError => Err(DnsFailure::NoSuchName(format!("{name} does not exist"))),
            RCODE::ServerFailure => Err(DnsFailure::NotServed(format!("{server} answers SERVFAIL for {name}"))),
            RCODE::Refused => Err(DnsFailure::NotServed(format!("{server} answers REFUSED for {name}"))),
            other => Err(lost(format!("{server} answers {other:?} for {name}"))),
        };
    }
    Err(lost(format!("{server} does not answer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name server that answers every question with a code.
    async fn answering(code: u8) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = vec![0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut query).await {
                (query[2], query[3]) = (query[2] | 0x80, code);
                socket.send_to(&query[..length], asker).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn where_one_name_server_does_not_answer_the_next_is_asked() {
        // Nothing listens there: the kernel says so at once.
        let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let resolver = Resolver { servers: vec![gone, answering(3).await] };
        let answer = resolver.addresses("api.prod.example.com").await;
        assert_eq!(answer, Err(DnsFailure::NoSuchName("api.prod.example.com does not exist".into())));
        let silent = Resolver::from(gone).addresses("api.prod.example.com").await;
        assert!(matches!(silent, Err(DnsFailure::NoAnswer(reason)) if reason.starts_with(&gone.to_string())));
    }

    #[tokio::test]
    async fn a_server_that_does_not_get_to_the_zone_has_answered() {
        for (code, word) in [(2, "SERVFAIL"), (5, "REFUSED")] {
            let server = answering(code).await;
            let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
            let resolver = Resolver { servers: vec![server, gone] };
            let words = format!("{server} answers {word} for api.prod.example.com");
            assert_eq!(resolver.addresses("api.prod.example.com").await, Err(DnsFailure::NotServed(words)));
            // The next one may do better.
            let resolver = Resolver { servers: vec![server, answering(3).await] };
            let answer = resolver.addresses("api.prod.example.com").await;
            assert!(matches!(answer, Err(DnsFailure::NoSuchName(_))), "{answer:?}");
        }
    }
}
