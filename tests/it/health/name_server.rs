//! A name server of a few names.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use simple_dns::rdata::{A, NS, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

type Delegations = Arc<Mutex<BTreeMap<String, Vec<String>>>>;
/// Zones that are delegated to servers that do not have them.
type Lame = Arc<Mutex<Vec<String>>>;

/// Answers until the test ends.
pub struct NameServer {
    address: SocketAddr,
    delegations: Delegations,
    lame: Lame,
}

impl NameServer {
    pub fn start(addresses: &[(&str, &str)]) -> Self {
        let addresses: BTreeMap<String, Ipv4Addr> =
            addresses.iter().map(|(name, address)| ((*name).to_owned(), address.parse().unwrap())).collect();
        let (delegations, lame) = (Delegations::default(), Lame::default());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let (known, unserved) = (delegations.clone(), lame.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let answer = answer(&buffer[..length], &addresses, &known.lock().unwrap(), &unserved.lock().unwrap());
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, delegations, lame }
    }

    pub fn lame_in(self, zone: &str) -> Self {
        self.lame.lock().unwrap().push(zone.to_owned());
        self
    }

    pub fn delegating(self, zone: &str, servers: &[&str]) -> Self {
        self.delegations.lock().unwrap().insert(zone.to_owned(), servers.iter().map(|server| (*server).to_owned()).collect());
        self
    }

    /// For `--resolver`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

fn answer(
    query: &[u8],
    addresses: &BTreeMap<String, Ipv4Addr>,
    delegations: &BTreeMap<String, Vec<String>>,
    lame: &[String],
) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let question = &query.questions[0];
    let name = question.qname.to_string();
    let mut answer = Packet::new_reply(query.id());
    answer.set_flags(PacketFlag::RECURSION_AVAILABLE);
    answer.questions.push(question.clone());
    if lame.iter().any(|zone| name.ends_with(zone.as_str())) {
        *answer.rcode_mut() = RCODE::ServerFailure;
        return answer.build_bytes_vec().unwrap();
    }
    let mut add = |data: RData<'static>| {
        answer.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data));
    };
    match question.qtype {
        QTYPE::TYPE(TYPE::A) => {
            addresses.get(&name).into_iter().for_each(|address| add(RData::A(A { address: (*address).into() })))
        }
        QTYPE::TYPE(TYPE::NS) => delegations.get(&name).into_iter().flatten().for_each(|server| {
            add(RData::NS(NS(Name::new(server).unwrap().into_owned())));
        }),
        _ => {}
    }
    if answer.answers.is_empty() {
        *answer.rcode_mut() = RCODE::NameError;
    }
    answer.build_bytes_vec().unwrap()
}
