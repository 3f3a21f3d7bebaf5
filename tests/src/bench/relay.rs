//! How fast can any bridge be, at most? A process that reads what Redis sends and writes what the broker has to get, without looking
//! at a single byte: it knows beforehand what the messages are, and counts only how many have come. QoS 0.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::workload::{SIGNALS, Workload, channel};

/// Bytes of one read, as the daemon's.
const INPUT: usize = 64 * 1024;

/// Relays until one of the ends closes.
///
/// # Errors
///
/// How that ended.
pub fn run(redis_port: u16, broker_port: u16) -> io::Result<()> {
    let workload = Workload::new();
    let (packets, ends) = packets(&workload);
    let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, redis_port))?;
    subscribe(&mut redis)?;
    let mut broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port))?;
    broker.set_nodelay(true)?;
    broker.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05relay")?;
    broker.read_exact(&mut [0; 4])?;
    let mut input = vec![0; INPUT];
    let (mut bytes, mut sent) = (0, 0);
    loop {
        bytes += match redis.read(&mut input)? {
            0 => return Ok(()),
            count => count as u64,
        };
        let messages = workload.messages_in(bytes);
        while sent < messages {
            let first = sent as usize % ends.len();
            let count = ends.len().min(first + (messages - sent) as usize) - first;
            let from = first.checked_sub(1).map_or(0, |last| ends[last]);
            broker.write_all(&packets[from..ends[first + count - 1]])?;
            sent += count as u64;
        }
    }
}

fn subscribe(redis: &mut TcpStream) -> io::Result<()> {
    let mut command = format!("*{}\r\n$9\r\nSUBSCRIBE\r\n", SIGNALS + 1);
    for channel in (0..SIGNALS).map(channel) {
        command += &format!("${}\r\n{channel}\r\n", channel.len());
    }
    redis.write_all(command.as_bytes())?;
    let last = format!("\r\n:{SIGNALS}\r\n");
    let mut answer = Vec::new();
    while !answer.ends_with(last.as_bytes()) {
        let mut piece = [0; 4096];
        match redis.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    Ok(())
}

/// All PUBLISH packets, and where each ends.
fn packets(workload: &Workload) -> (Vec<u8>, Vec<usize>) {
    let mut packets = Vec::new();
    let ends = (0..workload.len() as u64).map(|number| {
        let expected = workload.expected(number);
        let topic_len = expected.topic.len();
        let len = 2 + topic_len + expected.payload.len();
        assert!(len < 128, "Remaining Length in one byte");
        packets.extend_from_slice(&[0x30, len as u8, 0, topic_len as u8]);
        packets.extend_from_slice(&expected.topic);
        packets.extend_from_slice(&expected.payload);
        packets.len()
    });
    let ends = ends.collect();
    (packets, ends)
}
