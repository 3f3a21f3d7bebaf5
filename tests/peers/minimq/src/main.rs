//! The bridge around `minimq`, with MQTT 5: one thread, sockets that do not block, `poll`.
//! It connects once, and ends when a connection does. `minimq` has at most 8 messages in flight, whatever WINDOW says.
//!
//! ```text
//! peer-minimq REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...
//! ```

use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use minimq::{Buffers, ConfigBuilder, Connection, PubError, Publication, QoS, Session};
use rustix::event::{PollFd, PollFlags, poll};

/// A transport whose futures wait for the socket.
struct Socket(TcpStream);

impl ErrorType for Socket {
    type Error = io::Error;
}

impl Read for Socket {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        ready(|| (&self.0).read(buffer)).await
    }
}

impl Write for Socket {
    async fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        ready(|| (&self.0).write(buffer)).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn ready(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    std::future::poll_fn(|_| match attempt() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    })
    .await
}

/// One step of a future, which may be dropped behind it.
fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future to its end, and waits for the broker meanwhile.
fn finish<T>(broker: &TcpStream, future: impl Future<Output = T>) -> io::Result<T> {
    let mut future = pin!(future);
    loop {
        let step = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(value) = step {
            return Ok(value);
        }
        wait(&[broker])?;
    }
}

fn wait(sockets: &[&TcpStream]) -> io::Result<()> {
    let mut polled: Vec<_> = (sockets.iter())
        .map(|&socket| PollFd::new(socket, PollFlags::IN))
        .collect();
    poll(&mut polled, None)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [redis_port, broker_port, qos, _window, channels @ ..] = &words[..] else {
        return Err("usage: peer-minimq REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...".into());
    };
    let qos = match &qos[..] {
        "0" => QoS::AtMostOnce,
        "1" => QoS::AtLeastOnce,
        "2" => QoS::ExactlyOnce,
        _ => return Err("QoS is 0, 1 or 2".into()),
    };

    let stream = TcpStream::connect(("127.0.0.1", broker_port.parse()?))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let broker = stream.try_clone()?;
    let (mut received, mut sent) = ([0; 4096], [0; 8192]);
    let config = ConfigBuilder::new(Buffers::new(&mut received, &mut sent))
        .client_id("peer-minimq")
        .map_err(|error| format!("{error:?}"))?;
    let mut session = Session::new(config);
    let mut connection = finish(&broker, session.connect(Socket(stream)))??;

    let mut redis = TcpStream::connect(("127.0.0.1", redis_port.parse()?))?;
    let mut subscribe = format!("*{}\r\n$9\r\nSUBSCRIBE\r\n", channels.len() + 1);
    for channel in channels {
        subscribe += &format!("${}\r\n{channel}\r\n", channel.len());
    }
    redis.write_all(subscribe.as_bytes())?;
    redis.set_nonblocking(true)?;

    let mut input = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        while let Poll::Ready(progress) = once(connection.poll()) {
            progress?;
        }
        match redis.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => input.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&[&broker, &redis])?,
            Err(error) => return Err(error.into()),
        }
        let mut at = 0;
        while let Some(([kind, channel, message], end)) = push(&input[at..]) {
            if kind == b"message"
                && let Some(payload) = convert(message)
            {
                publish(
                    &broker,
                    &mut connection,
                    str::from_utf8(channel)?,
                    &payload,
                    qos,
                )?;
            }
            at += end;
        }
        input.drain(..at);
    }
}

/// Publishes a message as soon as there is room for it.
fn publish(
    broker: &TcpStream,
    connection: &mut Connection<'_, '_, Socket>,
    topic: &str,
    payload: &[u8],
    qos: QoS,
) -> Result<(), Box<dyn Error>> {
    loop {
        let publication = Publication::bytes(topic, payload).qos(qos);
        match finish(broker, connection.publish(publication))? {
            Ok(_) => return Ok(()),
            Err(PubError::Session(minimq::Error::NotReady | minimq::Error::Resource(_))) => {
                finish(broker, connection.poll())??;
            }
            Err(error) => return Err(format!("{error:?}").into()),
        }
    }
}

/// The three strings of a push of Redis (`*3`), the last of which is a number for a subscription; and the length of it all.
fn push(input: &[u8]) -> Option<([&[u8]; 3], usize)> {
    let (_, mut at) = line(input)?;
    let mut parts = [&b""[..]; 3];
    for part in &mut parts {
        let (head, len) = line(&input[at..])?;
        at += len;
        if let Some(count) = head.strip_prefix(b"$") {
            let count: usize = str::from_utf8(count).ok()?.parse().ok()?;
            *part = input.get(at..at + count)?;
            input.get(at + count + 1)?;
            at += count + 2;
        }
    }
    Some((parts, at))
}

/// A line, and its length with its end.
fn line(input: &[u8]) -> Option<(&[u8], usize)> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&input[..end], end + 2))
}

/// `value,timestamp,flags` to `value,timestamp,quality`; `None` if it is malformed.
fn convert(message: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(message).ok()?;
    let mut fields = text.splitn(3, ',').map(str::trim);
    let (value, timestamp) = (fields.next()?, fields.next()?);
    let number: f64 = value.parse().ok()?;
    let _: u64 = timestamp.parse().ok()?;
    if number.is_infinite() {
        return None;
    }
    let is_bad = fields.next().is_some_and(|flags| {
        flags
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .any(|flag| {
                ["IV", "NT", "OV"]
                    .iter()
                    .any(|bad| flag.eq_ignore_ascii_case(bad))
            })
    });
    let quality = if is_bad { "0" } else { "1" };
    Some([value, timestamp, quality].join(",").into_bytes())
}
