//! Does each table of `docs/brokers.md` do what the page says?

use mqtt_client_model_broker::{Event, Refusal, providers};
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Daemon, page};

use crate::{Certificates, PROVIDERS, Site, THINGSBOARD, account, table, warnings};

#[test]
fn each_table_of_a_provider_is_accepted_without_warnings() {
    for (heading, _) in PROVIDERS {
        let config = table(heading);
        let account = account(&config);
        let found = warnings(config, &account);
        assert!(found.is_empty(), "{heading}: {found:#?}");
    }
}

#[test]
fn each_table_of_a_provider_brings_samples_to_its_model() {
    for (heading, profile) in PROVIDERS {
        let config = table(heading);
        let account = account(&config);
        let topic = config.signal_text("topic").map(String::from);
        let config_qos = config.device_number("mqtt_qos");
        let mut site = Site::start(config, &account, profile);
        site.publish("12.5,1708000203824,IV");
        let message = site.next();
        assert_eq!(message.payload, "12.5,1708000203824,0", "{heading}");
        assert_eq!(Some(message.topic), topic, "{heading}");
        assert_eq!(Some(message.qos.into()), config_qos, "{heading}");
        let alias = site.alias.clone();
        let counters = site
            .daemon
            .wait_for_counters(&alias, |now| now.acknowledged == 1);
        assert_eq!((counters.reconnects, counters.dropped), (0, 0), "{heading}");
        let refused = site.broker.events();
        let refused = refused
            .iter()
            .find(|event| matches!(event, Event::Refused(_)));
        assert_eq!(refused, None, "{heading}");
    }
}

/// The other brokers are installed for the test `brokers`, which has their tables.
#[test]
fn the_table_of_mosquitto_is_accepted_without_warnings_and_brings_samples_to_it() {
    let config = table("Mosquitto");
    let account = account(&config);
    let found = warnings(config.clone(), &account);
    assert!(found.is_empty(), "{found:#?}");

    let certificates = Certificates::new(&account);
    let (broker, port) = certificates.authority.broker(&certificates.shown, &[]);
    let (redis, subscriber) = (Redis::start(), broker.subscribe());
    let config = certificates.in_place(config).at(port.number());
    let config = config.with_ports(redis.port(), port.number());
    let _daemon = Daemon::start_under(&certificates.words(), &config);
    redis.wait_for_subscriptions(&config.channels());
    assert_eq!(
        redis.publish(&config.channels()[0], "12.5,1708000203824,"),
        1
    );
    let topic = config.signal_text("topic").expect("a topic");
    let delivery = subscriber.expect(topic, "12.5,1708000203824,1");
    assert_eq!(delivery.qos, 2);
}

#[test]
fn thingsboard_lets_its_table_in_and_takes_no_csv_which_is_warned_of() {
    let config = table(THINGSBOARD);
    let account = account(&config);
    let found = warnings(config.clone(), &account);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("devices[0].ip: ThingsBoard takes JSON"));

    let site = Site::start(config, &account, providers::thingsboard);
    site.wait_for("a connection", |event| {
        matches!(event, Event::Connected { .. })
    });
    site.publish("12.5,1708000203824,");
    site.wait_for_refusal(Refusal::Payload);
    assert_eq!(site.broker.messages(), []);
}

/// So that no table is left out here.
#[test]
fn the_page_has_a_table_of_each_provider_and_of_three_brokers() {
    let text = page::read("docs/brokers.md");
    let tables = page::tables(&text);
    let headings: Vec<_> = tables.iter().map(|(heading, _)| heading.as_str()).collect();
    let mut expected = PROVIDERS.map(|(heading, _)| heading).to_vec();
    expected.extend([THINGSBOARD, "Mosquitto", "RabbitMQ", "ActiveMQ Classic"]);
    assert_eq!(headings, expected);
}
