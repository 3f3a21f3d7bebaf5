//! Runs the broker rmqtt: `broker-rmqtt PORT FOLDER LIMITS`. Its plugins' settings are in FOLDER, where there are any. LIMITS is `usual`, or `tight`:
//! no QoS 2, no retained messages, and little at a time.

use std::num::NonZeroU16;

use rmqtt::codec::types::QoS;
use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;

/// What `tight` means: the tests know these.
const LONGEST_PACKET: u32 = 100;
const AT_A_TIME: NonZeroU16 = NonZeroU16::new(2).unwrap();
const KEEP_ALIVE: u16 = 60;
const ALIASES: u16 = 2;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, folder, limits] = &words[..] else {
        return Err("usage: broker-rmqtt PORT FOLDER LIMITS".into());
    };
    let context = ServerContext::new()
        .plugins_config_dir(folder.as_str())
        .build()
        .await;
    rmqtt_acl::register(&context, true, false).await?;
    let listener = Builder::new()
        .name("tcp")
        .laddr(format!("127.0.0.1:{port}").parse()?)
        // The tests hold the port while it restarts.
        .reuseaddr(Some(true))
        .allow_anonymous(true);
    let listener = if limits == "tight" {
        listener
            .max_packet_size(LONGEST_PACKET)
            .max_inflight(AT_A_TIME)
            .max_qos_allowed(QoS::AtLeastOnce)
            .max_keepalive(KEEP_ALIVE)
            .max_topic_aliases(ALIASES)
    } else {
        rmqtt_retainer::register(&context, true, false).await?;
        listener
    };
    let server = MqttServer::new(context).listener(listener.bind()?.tcp()?);
    Ok(server.build().run().await?)
}
