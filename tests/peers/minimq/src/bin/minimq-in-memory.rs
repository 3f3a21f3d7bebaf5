//! How much work is one message for `minimq`? The library alone, between an application that has its messages ready and a broker in memory.
//!
//! ```text
//! minimq-in-memory QOS MESSAGES
//! ```
//!
//! What counts is [`drive_minimq`] and all that it calls; the broker's part is outside of it. Where the bridge reads Redis' messages besides, this
//! has nothing to read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use minimq::{Buffers, ConfigBuilder, Connection, PubError, Publication, QoS, Session};

/// Topics, as many as the bridge has signals where it is counted.
const TOPICS: usize = 100;

/// Both directions of a connection.
#[derive(Default)]
struct Pipes {
    to_broker: Vec<u8>,
    to_client: VecDeque<u8>,
}

/// The client's end.
#[derive(Clone, Default)]
struct End(Rc<RefCell<Pipes>>);

impl ErrorType for End {
    type Error = Infallible;
}

impl Read for End {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let pipe = &mut self.0.borrow_mut().to_client;
            let bytes = pipe.as_slices().0;
            let count = bytes.len().min(buffer.len());
            if count == 0 {
                return Poll::Pending;
            }
            buffer[..count].copy_from_slice(&bytes[..count]);
            pipe.drain(..count);
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().to_broker.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A step of a future that nothing holds up.
fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [qos, messages] = &words[..] else {
        return Err("usage: minimq-in-memory QOS MESSAGES".into());
    };
    let qos = match &qos[..] {
        "0" => QoS::AtMostOnce,
        "1" => QoS::AtLeastOnce,
        "2" => QoS::ExactlyOnce,
        _ => return Err("QoS is 0, 1 or 2".into()),
    };
    let messages: usize = messages.parse()?;
    let topics: Vec<_> = (0..TOPICS)
        .map(|number| format!("tag/cloud/s{number:04}/in"))
        .collect();
    let payloads: Vec<_> = (0..TOPICS)
        .map(|number| format!("230.{number:04},1708000203824,1"))
        .collect();

    let (mut received, mut sent) = ([0; 4096], [0; 8192]);
    let config = ConfigBuilder::new(Buffers::new(&mut received, &mut sent))
        .client_id("minimq")
        .map_err(|error| format!("{error:?}"))?;
    let mut session = Session::new(config);
    let end = End::default();
    // CONNACK is there before anybody asks for it.
    end.0.borrow_mut().to_client.extend(b"\x20\x03\x00\x00\x00");
    let Poll::Ready(connection) = once(session.connect(end.clone())) else {
        return Err("it does not connect".into());
    };
    let mut connection = connection.map_err(|error| format!("{error:?}"))?;
    end.0.borrow_mut().to_broker.clear();

    let (mut given, mut complete) = (0, 0);
    while complete < messages {
        let before = (given, complete);
        given += drive_minimq(
            &mut connection,
            qos,
            messages - given,
            given,
            &topics,
            &payloads,
        )?;
        complete += answer(&mut end.0.borrow_mut());
        if before == (given, complete) && end.0.borrow().to_client.is_empty() {
            return Err(format!("stuck behind {complete} messages").into());
        }
    }
    Ok(())
}

/// Takes what the broker says, and publishes so many messages, as far as there is room for them; how many.
#[inline(never)]
fn drive_minimq(
    connection: &mut Connection<'_, '_, End>,
    qos: QoS,
    most: usize,
    first: usize,
    topics: &[String],
    payloads: &[String],
) -> Result<usize, Box<dyn Error>> {
    while let Poll::Ready(progress) = once(connection.poll()) {
        progress.map_err(|error| format!("{error:?}"))?;
    }
    // At QoS 0, where nothing ends the turn, as many as there are topics.
    for count in 0..most.min(TOPICS) {
        let number = (first + count) % TOPICS;
        let publication = Publication::bytes(&topics[number], payloads[number].as_bytes());
        match once(connection.publish(publication.qos(qos))) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(PubError::Session(
                minimq::Error::NotReady | minimq::Error::Resource(_),
            )))
            | Poll::Pending => return Ok(count),
            Poll::Ready(Err(error)) => return Err(format!("{error:?}").into()),
        }
    }
    Ok(most.min(TOPICS))
}

/// The broker answers all that it was sent; how many messages are done with.
fn answer(pipes: &mut Pipes) -> usize {
    let (mut at, mut complete) = (0, 0);
    while let Some((&first, rest)) = pipes.to_broker[at..].split_first() {
        // All of this program's packets are shorter than 128 bytes.
        let len = usize::from(rest[0]);
        let body = &rest[1..1 + len];
        let (answer, id) = match (first >> 4, first >> 1 & 3) {
            (3, 0) => {
                complete += 1;
                (0, [0; 2])
            }
            (3, qos) => {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                complete += usize::from(qos == 1);
                (
                    if qos == 1 { 0x40 } else { 0x50 },
                    [body[2 + topic], body[3 + topic]],
                )
            }
            // PUBREL
            (6, _) => {
                complete += 1;
                (0x70, [body[0], body[1]])
            }
            _ => (0, [0; 2]),
        };
        if answer != 0 {
            pipes.to_client.extend([answer, 2, id[0], id[1]]);
        }
        at += 2 + len;
    }
    pipes.to_broker.clear();
    complete
}
