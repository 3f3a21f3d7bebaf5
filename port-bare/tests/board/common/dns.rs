//! A DNS server that knows a few names.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub struct Dns {
    /// Whether it says anything at all.
    pub answers: bool,
    pub names: BTreeMap<String, Vec<Record>>,
    /// Names that it was asked for.
    pub asked: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum Record {
    Address(Ipv4Addr),
    /// The name has another, whose address is this.
    Alias(&'static str, Ipv4Addr),
    /// The server has a fault of its own (SERVFAIL).
    Failure,
}

impl Dns {
    pub fn new() -> Self {
        Dns {
            answers: true,
            names: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    pub fn know(&mut self, name: &str, addresses: &[Ipv4Addr]) {
        let records = addresses.iter().copied().map(Record::Address).collect();
        self.names.insert(name.to_string(), records);
    }

    pub fn answer(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let (header, question) = query.split_at(12);
        assert_eq!(header[4..6], [0, 1], "one question");
        let name = name_of(question);
        self.asked.push(name.clone());
        if !self.answers {
            return None;
        }
        let records = self.names.get(&name);
        let code = match records.map(Vec::as_slice) {
            None => 3,
            Some([Record::Failure]) => 2,
            Some(_) => 0,
        };
        let mut count = 0;
        let mut body = question.to_vec();
        for record in records.into_iter().flatten() {
            match record {
                Record::Failure => {}
                Record::Address(address) => {
                    count += 1;
                    answer(&mut body, &encoded(&name), 1, &address.octets());
                }
                Record::Alias(alias, address) => {
                    count += 2;
                    answer(&mut body, &encoded(&name), 5, &encoded(alias));
                    answer(&mut body, &encoded(alias), 1, &address.octets());
                }
            }
        }
        let mut bytes = header[..2].to_vec();
        bytes.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        bytes.extend(body);
        Some(bytes)
    }
}

/// A resource record of class IN (RFC 1035, 4.1.3).
fn answer(bytes: &mut Vec<u8>, name: &[u8], kind: u8, data: &[u8]) {
    bytes.extend(name);
    bytes.extend([0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    bytes.extend(data);
}

fn encoded(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[label.len() as u8], label.as_bytes()].concat();
    let mut bytes = name.split('.').flat_map(label).collect::<Vec<_>>();
    bytes.push(0);
    bytes
}

fn name_of(mut question: &[u8]) -> String {
    let mut labels = Vec::new();
    while let [length, rest @ ..] = question
        && *length > 0
    {
        let (label, rest) = rest.split_at(usize::from(*length));
        labels.push(String::from_utf8(label.to_vec()).expect("text"));
        question = rest;
    }
    labels.join(".")
}
