//! Do the models bite where no warning can say it? What a client says in the TLS handshake, and how fast it sends.

use mqtt_client_model_broker::{Event, Refusal, providers};

use crate::{Site, account, table};

#[test]
fn a_broker_reached_by_its_address_is_not_asked_for_by_name_and_refuses() {
    let config = table("AWS IoT Core");
    let account = account(&config);
    let config = config.device_key("ip", "127.0.0.1");
    let site = Site::start(config, &account, providers::aws_iot_core);
    site.wait_for_refusal(Refusal::Name);
}

#[test]
fn a_provider_is_asked_for_by_the_name_in_the_table() {
    let config = table("AWS IoT Core");
    let account = account(&config);
    let host = Some(account.host.clone());
    let site = Site::start(config, &account, providers::aws_iot_core);
    let event = site.wait_for("a handshake", |event| matches!(event, Event::Secured(_)));
    let Event::Secured(greeting) = event else {
        panic!("{event:?}");
    };
    assert_eq!(greeting.name, host);
    assert!(greeting.showed_certificate);
}

#[test]
fn on_port_443_a_client_that_offers_no_protocol_is_refused() {
    let config = table("AWS IoT Core");
    let account = account(&config);
    let site = Site::start(config, &account, providers::aws_iot_core_443);
    site.wait_for_refusal(Refusal::Protocol);
}

#[test]
fn what_exceeds_the_rate_is_neither_taken_nor_acknowledged() {
    let config = (table("AWS IoT Core").device_key("max_inflight", 300)).device_key("max_rate", 0);
    let account = account(&config);
    let mut site = Site::start(config, &account, providers::aws_iot_core);
    let channels = site.redis.subscribed_channels();
    site.redis
        .publish_all(&channels[0], (0..300).map(|n| format!("{n},1000,")));
    site.wait_for("a message too many", |event| {
        matches!(event, Event::Ignored(_))
    });
    let alias = site.alias.clone();
    let counters = site.daemon.counters(&alias);
    assert!(counters.acknowledged < counters.sent, "{counters:?}");
}
