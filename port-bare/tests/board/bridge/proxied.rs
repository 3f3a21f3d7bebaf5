//! How does a board get through a proxy, over its own TCP/IP?

use mqtt_client_bare::Status;

use super::rig::{Proxy, Rig};

/// A broker that the board's DNS does not know, behind a proxy that it does.
fn table() -> String {
    let keys = r#", "proxy": "broker.example:1883", "proxy_username": "Aladdin", "proxy_password": "open sesame""#;
    super::one_device(keys).replacen("\"broker.example\"", "\"nobody.example\"", 1)
}

fn rig(answer: &'static str) -> Rig {
    let mut rig = Rig::new(&table());
    let asked = String::new();
    rig.proxy = Some(Proxy { answer, asked });
    rig
}

#[test]
fn the_proxy_looks_up_the_broker_and_has_its_connection() {
    let mut rig = rig("HTTP/1.0 200 OK\r\nVia: it\r\n\r\n");
    rig.until_online(10_000);
    let asked = rig.proxy.as_ref().map(|proxy| &*proxy.asked);
    let expected = "CONNECT nobody.example:1883 HTTP/1.1\r\nHost: nobody.example:1883\r\n\
                    Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    assert_eq!(asked, Some(expected));
    for number in 0..20 {
        assert!(rig.publish("tag/cloud/p/in", &format!("{number},2")));
        rig.pass(10);
    }
    rig.until(1000, |rig| rig.delivered(0).len() == 20);
}

#[test]
fn a_proxy_that_refuses_is_asked_again_until_it_does_not() {
    for answer in [
        "HTTP/1.1 407 No\r\n\r\n",
        "HTTP/1.1 503 No\r\n\r\n",
        "SSH-2.0-x\r\n",
        "",
    ] {
        let mut rig = rig(answer);
        rig.pass(60_000);
        assert_eq!(rig.status(), Status::NoBroker, "{answer:?}");
        if let Some(proxy) = &mut rig.proxy {
            proxy.answer = "HTTP/1.1 200 OK\r\n\r\n";
        }
        rig.until_online(60_000);
        assert!(rig.publish("tag/cloud/p/in", "1,2"));
        rig.until(1000, |rig| rig.delivered(0) == ["1,2,1"]);
    }
}
