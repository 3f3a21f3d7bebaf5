//! The bridge as a Rust programmer would write it with `rumqttc` and `redis`: tokio, one thread, two tasks.
//! It connects once, and ends when a connection does.
//!
//! ```text
//! peer-rust REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...
//! ```

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use rumqttc::{AsyncClient, MqttOptions, QoS};

/// Publishes that wait for the event loop.
const QUEUE: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [redis_port, broker_port, qos, window, channels @ ..] = &words[..] else {
        return Err("usage: peer-rust REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...".into());
    };
    let qos = rumqttc::qos(qos.parse()?).map_err(|_| "QoS is 0, 1 or 2")?;

    let mut options = MqttOptions::new("peer-rust", "127.0.0.1", broker_port.parse()?);
    options
        .set_keep_alive(Duration::from_secs(60))
        .set_clean_session(qos == QoS::AtMostOnce)
        .set_inflight(window.parse()?);
    let (client, mut event_loop) = AsyncClient::new(options, QUEUE);
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    event_loop.set_network_options(network);

    let redis = redis::Client::open(format!("redis://127.0.0.1:{redis_port}/"))?;
    let (mut subscriber, mut messages) = redis.get_async_pubsub().await?.split();
    let forward = async {
        subscriber.subscribe(channels).await?;
        while let Some(message) = messages.next().await {
            if let Some(payload) = convert(message.get_payload_bytes()) {
                client
                    .publish(message.get_channel_name(), qos, false, payload)
                    .await?;
            }
        }
        Ok::<(), Box<dyn Error>>(())
    };
    let talk = async {
        loop {
            event_loop.poll().await?;
        }
    };
    tokio::select! {
        end = forward => end,
        end = talk => end,
    }
}

/// `value,timestamp,flags` to `value,timestamp,quality`; `None` if it is malformed.
fn convert(message: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(message).ok()?;
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
    let quality = if is_bad { b'0' } else { b'1' };
    let mut payload = Vec::with_capacity(value.len() + timestamp.len() + 3);
    payload.extend_from_slice(value.as_bytes());
    payload.push(b',');
    payload.extend_from_slice(timestamp.as_bytes());
    payload.extend_from_slice(&[b',', quality]);
    Some(payload)
}
