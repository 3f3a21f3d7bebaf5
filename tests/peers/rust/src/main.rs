//! The bridge as a Rust programmer would write it with `rumqttc` and `redis`: tokio, one thread, two tasks.
//! It connects once, and ends when a connection does.
//!
//! ```text
//! peer-rust [v5] REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...
//! ```

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use rumqttc::{AsyncClient, MqttOptions, NetworkOptions, QoS, v5};

/// Publishes that wait for the event loop.
const QUEUE: usize = 1000;

const USAGE: &str = "usage: peer-rust [v5] REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (is_v5, words) = match &words[..] {
        [first, words @ ..] if first == "v5" => (true, words),
        words => (false, words),
    };
    let [redis_port, broker_port, qos, window, channels @ ..] = words else {
        return Err(USAGE.into());
    };
    let (broker_port, qos, window) = (broker_port.parse()?, qos.parse()?, window.parse()?);
    let redis = redis::Client::open(format!("redis://127.0.0.1:{redis_port}/"))?;
    if is_v5 {
        with_v5(redis, channels, broker_port, qos, window).await
    } else {
        with_v4(redis, channels, broker_port, qos, window).await
    }
}

/// MQTT 3.1.1.
async fn with_v4(
    redis: redis::Client,
    channels: &[String],
    broker_port: u16,
    qos: u8,
    window: u16,
) -> Result<(), Box<dyn Error>> {
    let qos = rumqttc::qos(qos).map_err(|_| "QoS is 0, 1 or 2")?;
    let mut options = MqttOptions::new("peer-rust", "127.0.0.1", broker_port);
    options
        .set_keep_alive(Duration::from_secs(60))
        .set_clean_session(qos == QoS::AtMostOnce)
        .set_inflight(window);
    let (client, mut event_loop) = AsyncClient::new(options, QUEUE);
    event_loop.set_network_options(network());
    let forward = forward(redis, channels, async |topic: &str, payload| {
        Ok(client.publish(topic, qos, false, payload).await?)
    });
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

/// MQTT 5, which `rumqttc` has a second set of types for.
async fn with_v5(
    redis: redis::Client,
    channels: &[String],
    broker_port: u16,
    qos: u8,
    window: u16,
) -> Result<(), Box<dyn Error>> {
    let qos = v5::mqttbytes::qos(qos).ok_or("QoS is 0, 1 or 2")?;
    let mut options = v5::MqttOptions::new("peer-rust", "127.0.0.1", broker_port);
    options
        .set_keep_alive(Duration::from_secs(60))
        .set_clean_start(true)
        .set_outgoing_inflight_upper_limit(window)
        .set_network_options(network());
    let (client, mut event_loop) = v5::AsyncClient::new(options, QUEUE);
    let forward = forward(redis, channels, async |topic: &str, payload| {
        Ok(client.publish(topic, qos, false, payload).await?)
    });
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

fn network() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network
}

/// Publishes what comes from Redis, as long as it comes.
async fn forward(
    redis: redis::Client,
    channels: &[String],
    publish: impl AsyncFn(&str, Vec<u8>) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (mut subscriber, mut messages) = redis.get_async_pubsub().await?.split();
    subscriber.subscribe(channels).await?;
    while let Some(message) = messages.next().await {
        if let Some(payload) = convert(message.get_payload_bytes()) {
            publish(message.get_channel_name(), payload).await?;
        }
    }
    Ok(())
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
